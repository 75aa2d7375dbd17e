import { BASE_ADDRESS } from '@mayfly/contracts/policy';
import { COMMON_SETTINGS, secretFile } from '@mayfly/service-kit/config';
import Type, { type Static } from 'typebox';

/** The settings of key-manager. */
export const Config = Type.Object({
  ...COMMON_SETTINGS,
  BASE_URL: Type.Optional(
    Type.String({ pattern: BASE_ADDRESS, description: 'Base URL of the issuers, if not in mayfly.yaml.' }),
  ),
  PROFILES_DIR: Type.Optional(
    Type.String({ description: 'Folder of profiles of your own, in place of `profiles` in mayfly.yaml.' }),
  ),
  KEY_ENCRYPTION_KEY_FILE: secretFile(
    'File with the 256-bit key that seals the keyrings, 64 hexadecimal digits; a second line holds one that also opens them.',
  ),
});
export type Config = Static<typeof Config>;
