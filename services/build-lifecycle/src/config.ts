import { COMMON_SETTINGS, HTTP_SETTINGS, REDIS_SETTINGS, secretFile } from '@mayfly/service-kit/config';
import Type, { type Static } from 'typebox';

/** The settings of build-lifecycle. */
export const Config = Type.Object({
  ...COMMON_SETTINGS,
  ...REDIS_SETTINGS,
  ...HTTP_SETTINGS,
  SOURCES_FILE: secretFile('File with the secret of each source for HTTP: a JSON object, name to secret.'),
});
export type Config = Static<typeof Config>;
