import { ServiceError } from '@mayfly/contracts/errors';
import {
  encodeStatusList,
  STATUS_LIST_SIZE,
  STATUS_LIST_TTL_SECONDS,
  STATUS_LIST_TYPE,
  statusesOf,
  statusListUri,
} from '@mayfly/contracts/status-list';
import { type PublicDocument, publicDocument } from './documents.ts';
import type { RunningBuilds, RunningBuildsReader } from './running-builds.ts';
import type { StatusListSigner } from './status-list-signer.ts';

/** What the status lists of one issuer are made from. */
export type StatusLists = {
  source: string;
  issuer: string;
  running: RunningBuildsReader;
  sign: StatusListSigner;
};

/** A published list, and until when it may be given out (ms by the monotonic clock). */
export type PublishedList = { document: PublicDocument; signedAt: number; freshUntil: number };

/** How long a list may be used after it was signed, seconds: twice its `ttl`. */
const LIFETIME_SECONDS = 2 * STATUS_LIST_TTL_SECONDS;

/**
 * Makes a Status List Token (draft-ietf-oauth-status-list-21 §5.1) of builds that run now; undefined where there is no
 * such list. Throws `temporarily_unavailable` while the projection is not proven fresh, or nobody signs.
 */
export async function publishList(
  streamCreatedMs: number,
  list: number,
  { source, issuer, running, sign }: StatusLists,
): Promise<PublishedList | undefined> {
  const asked = performance.now();
  const builds = await running.read(source, list);
  if (!hasList(builds, streamCreatedMs, list)) return undefined;
  // By the clock that all replicas share: whose own is ahead would have lists used for longer.
  const iat = Math.floor(builds.now / 1000);
  const token = await sign(source, {
    sub: statusListUri(issuer, streamCreatedMs, list),
    iat,
    exp: iat + LIFETIME_SECONDS,
    ttl: STATUS_LIST_TTL_SECONDS,
    status_list: {
      bits: 1,
      lst: encodeStatusList(statusesOf(builds.bits)).lst,
      aggregation_uri: aggregationUri(issuer),
    },
  });
  const document = publicDocument(`application/${STATUS_LIST_TYPE}`, token);
  return { document, signedAt: asked, freshUntil: asked + builds.freshForMs };
}

/** Says whether there is a list of that stream and number, or will be one next. */
export function hasList(builds: Extent, streamCreatedMs: number, list: number): boolean {
  const { first, last } = numbersOf(builds);
  return builds.streamCreatedMs === streamCreatedMs && list >= first && list <= last + 1;
}

/** Gives the URIs of all lists that a token can point at (§9). Throws `temporarily_unavailable` like the above. */
export async function aggregateLists({ source, issuer, running }: StatusLists): Promise<string[]> {
  const builds = await running.read(source, 0);
  const { first, last } = numbersOf(builds);
  return Array.from({ length: last - first + 1 }, (_, index) =>
    statusListUri(issuer, builds.streamCreatedMs, first + index),
  );
}

/** Where the addresses of all lists are given. */
export function aggregationUri(issuer: string): string {
  return `${issuer}/status-lists`;
}

/** Which stream the lists are of, and which of its sequences. */
export type Extent = Pick<RunningBuilds, 'streamCreatedMs' | 'firstSeq' | 'lastSeq'>;

/** The numbers of the first list of which BUILDS still holds a build, and of the last that it began. */
function numbersOf({ firstSeq, lastSeq }: Extent): { first: number; last: number } {
  const first = Math.floor(firstSeq / STATUS_LIST_SIZE);
  const last = Math.max(first, Math.floor(lastSeq / STATUS_LIST_SIZE));
  if (last - first > MAX_LISTS) throw new ServiceError('temporarily_unavailable', 'there are too many lists');
  return { first, last };
}

const MAX_LISTS = 100_000;
