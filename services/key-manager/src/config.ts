import { PROFILES_DIR } from '@mayfly/profiles/read';
import { COMMON_SETTINGS, secretFile } from '@mayfly/service-kit/config';
import Type, { type Static } from 'typebox';

/** The settings of key-manager. */
export const Config = Type.Object({
  ...COMMON_SETTINGS,
  BASE_URL: Type.Optional(
    Type.String({ pattern: '^https?://', description: 'Base URL of the issuers, if not in mayfly.yaml.' }),
  ),
  PROFILES_DIR: Type.String({ default: PROFILES_DIR, description: 'Folder of the profiles.' }),
  KEY_ENCRYPTION_KEY_FILE: secretFile(
    'File with the 256-bit key that seals the keyrings, 64 hexadecimal digits; a second line holds one that also opens them.',
  ),
});
export type Config = Static<typeof Config>;
