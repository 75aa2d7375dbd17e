import { COMMON_SETTINGS, HTTP_SETTINGS, REDIS_SETTINGS } from '@mayfly/service-kit/config';
import Type, { type Static } from 'typebox';

/** The settings of build-lifecycle. */
export const Config = Type.Object({ ...COMMON_SETTINGS, ...REDIS_SETTINGS, ...HTTP_SETTINGS });
export type Config = Static<typeof Config>;
