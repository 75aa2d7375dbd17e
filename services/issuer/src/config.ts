import { BASE_ADDRESS } from '@mayfly/contracts/policy';
import { COMMON_SETTINGS, HTTP_SETTINGS, REDIS_SETTINGS, secretFile } from '@mayfly/service-kit/config';
import Type, { type Static } from 'typebox';

/** The settings of issuer. */
export const Config = Type.Object({
  ...COMMON_SETTINGS,
  ...REDIS_SETTINGS,
  ...HTTP_SETTINGS,
  BASE_URL: Type.Optional(
    Type.String({ pattern: BASE_ADDRESS, description: 'Base URL of the issuers, if not in mayfly.yaml.' }),
  ),
  REQUEST_URL: Type.Optional(
    Type.String({
      pattern: BASE_ADDRESS,
      description: 'URL at which runners reach issuer, if not in mayfly.yaml.',
    }),
  ),
  PROFILES_DIR: Type.Optional(
    Type.String({ description: 'Folder of profiles of your own, in place of `profiles` in mayfly.yaml.' }),
  ),
  SOURCES_FILE: secretFile('File with the secret of each source for HTTP: a JSON object, name to secret.'),
  REQUEST_TOKEN_KEY_FILE: secretFile(
    'File with the key of request tokens, 64 hexadecimal digits; a second line is accepted too while it changes.',
  ),
});
export type Config = Static<typeof Config>;
