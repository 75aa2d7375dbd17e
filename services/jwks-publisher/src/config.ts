import { COMMON_SETTINGS, HTTP_SETTINGS, REDIS_SETTINGS, secretFile } from '@mayfly/service-kit/config';
import Type, { type Static } from 'typebox';

/** The settings of jwks-publisher. */
export const Config = Type.Object({
  ...COMMON_SETTINGS,
  ...REDIS_SETTINGS,
  ...HTTP_SETTINGS,
  BASE_URL: Type.Optional(
    Type.String({ pattern: '^https?://', description: 'Base URL of the issuers, if not in mayfly.yaml.' }),
  ),
  REQUEST_URL: Type.Optional(
    Type.String({
      pattern: '^https?://',
      description: 'URL at which runners reach issuer, if not in mayfly.yaml.',
    }),
  ),
  RELYING_PARTIES_FILE: secretFile(
    'File with the secret of each relying party: a JSON object, name to secret.',
  ),
  CACHE_DIR: Type.Optional(
    Type.String({ description: 'Folder for the last good key sets, for a start without NATS.' }),
  ),
});
export type Config = Static<typeof Config>;
