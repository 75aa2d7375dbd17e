import { BASE_ADDRESS } from '@mayfly/contracts/policy';
import { COMMON_SETTINGS, HTTP_SETTINGS, REDIS_SETTINGS, secretFile } from '@mayfly/service-kit/config';
import Type, { type Static } from 'typebox';

/** The settings of jwks-publisher. */
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
  TRUSTED_PROXIES: Type.Optional(
    Type.String({
      pattern: '^[0-9A-Fa-f:.]+(/[0-9]+)?( *, *[0-9A-Fa-f:.]+(/[0-9]+)?)*$',
      description:
        'Addresses or networks of the proxies in front, separated by commas, whose X-Forwarded-For says who calls.',
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
