import { buildsByFeed } from './builds-by-feed.ts';
import { buildsByIntrospection, type Credentials } from './builds-by-introspection.ts';
import { buildsByStatusList } from './builds-by-status-list.ts';
import type { IdToken } from './claims.ts';
import type { Fetch, Get } from './get.ts';
import type { IssuerKeys } from './issuer-keys.ts';

/**
 * How it is known whether a build still runs: `status-list`, within about six seconds; `feed`, within about a second; by
 * introspection, at once, at the price of a question a token; or not at all, for tokens that are worth something anyway.
 */
export type BuildsBy = 'status-list' | 'feed' | { introspection: Credentials } | 'unchecked';

/** Whether a build runs, is over, or nobody knows. */
export type BuildsAnswer = 'running' | 'over' | 'unknown';

/** Says whether the build of a verified token runs; at once where that is known already. */
export type Builds = (token: string, claims: IdToken) => BuildsAnswer | Promise<BuildsAnswer>;

/** What it takes to ask an issuer about its builds. */
export type BuildsContext = {
  issuer: string;
  keys: IssuerKeys;
  get: Get;
  fetch: Fetch;
  now(): number;
  leewaySeconds: number;
};

/** Takes how it shall be known whether builds run; gives what says so. */
export function buildsSource(by: BuildsBy, context: BuildsContext, resources: DisposableStack): Builds {
  if (by === 'unchecked') return () => 'running';
  if (by === 'feed') return buildsByFeed(context, resources);
  if (by === 'status-list') return buildsByStatusList(context, resources);
  return buildsByIntrospection(by.introspection, context);
}
