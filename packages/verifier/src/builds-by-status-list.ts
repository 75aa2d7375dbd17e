import { isCanonicalForm } from '@mayfly/contracts/compact-jws';
import { decodeStatusList, type StatusList, statusAt } from '@mayfly/contracts/status-list';
import { isSignedWith } from '@mayfly/contracts/verifying-key';
import type { Builds, BuildsAnswer, BuildsContext } from './builds.ts';
import { type IdToken, readClaims } from './claims.ts';

type ReadList = { bytes: Uint8Array; iat: number; expiresAt: number; ttlMs: number };
type Entry = {
  list: ReadList | undefined;
  /** The reading under way, or the next; says whether it gave a list. */
  reading: Promise<boolean> | undefined;
  usedAt: number;
  triedAt: number;
};

/** Lists that are kept at once, and how long one is kept fresh that nobody asks for, ms. */
const MAX_LISTS = 64;
const UNUSED_MS = 60_000;
/** How soon a list is read again that cannot be read, or that is too old for a token, ms. */
const RETRY_MS = 1000;
/** How long the issuer gives a list out again, ms: one that was asked for so long after a token came is younger. */
const REUSED_MS = 900;
/** How much younger than a token a list is that surely has its build: clocks may be two seconds apart, times are whole. */
const SURE_SECONDS = 3;
const VALID = 0;

/**
 * Reads the Status List Token that a token names (draft-ietf-oauth-status-list-21 §8.3), and again before its `ttl` is
 * over, as long as tokens name it. After its `exp` nobody knows. A list in which a token's build is not yet says invalid
 * of it: where it may be one it is read again, once a second for all who wait, and says nothing while it is too old.
 */
export function buildsByStatusList(context: BuildsContext, resources: DisposableStack): Builds {
  const { issuer, now } = context;
  const entries = new Map<string, Entry>();
  const timers = new Map<string, NodeJS.Timeout>();
  resources.defer(() => {
    for (const timer of timers.values()) clearTimeout(timer);
    entries.clear();
  });
  const forget = (uri: string) => {
    entries.delete(uri);
    clearTimeout(timers.get(uri));
    timers.delete(uri);
  };
  const readLater = (uri: string, entry: Entry, ms: number) => {
    if (entries.get(uri) !== entry) return;
    clearTimeout(timers.get(uri));
    const again = () =>
      performance.now() - entry.usedAt > UNUSED_MS ? forget(uri) : read(uri, entry, false);
    timers.set(uri, setTimeout(again, ms).unref());
  };
  const readPaced = async (uri: string, entry: Entry, isNewest: boolean): Promise<boolean> => {
    const early = entry.triedAt + RETRY_MS - performance.now();
    if (early > 0) await new Promise((resolve) => setTimeout(resolve, early));
    if (entries.get(uri) !== entry) return false;
    entry.triedAt = performance.now();
    const list = await readList(uri, context, isNewest).catch(() => undefined);
    if (list) entry.list = list;
    readLater(uri, entry, Math.max((list?.ttlMs ?? 0) - 1000, RETRY_MS));
    return list !== undefined;
  };
  const read = (uri: string, entry: Entry, isNewest: boolean): Promise<boolean> => {
    entry.reading ??= readPaced(uri, entry, isNewest).finally(() => {
      entry.reading = undefined;
    });
    return entry.reading;
  };
  const entryOf = (uri: string): Entry | undefined => {
    if (!isListOf(issuer, uri)) return undefined;
    if (entries.size >= MAX_LISTS) forget(entries.keys().next().value as string);
    const made = { list: undefined, reading: undefined, usedAt: 0, triedAt: -Infinity };
    entries.set(uri, made);
    return made;
  };
  return (_token, claims) => {
    const { uri = '' } = claims.status?.status_list ?? {};
    const entry = entries.get(uri) ?? entryOf(uri);
    if (!entry) return 'unknown';
    entry.usedAt = performance.now();
    const state = stateIn(entry.list, claims, now());
    if (state !== 'unknown') return state;
    const isFailing = !isGood(entry.list, now()) && !entry.reading;
    if (isFailing && performance.now() - entry.triedAt < RETRY_MS) return 'unknown';
    // What is too old for this token is what a cache on the way would give again.
    const again = () => read(uri, entry, isGood(entry.list, now()));
    return untilSure(entry, again, () => stateIn(entry.list, claims, now()));
  };
}

/** Reads a list until it says something, or can be no older than the token that was seen and yet does not. */
async function untilSure(
  entry: Entry,
  read: () => Promise<boolean>,
  state: () => BuildsAnswer,
): Promise<BuildsAnswer> {
  const enough = performance.now() + REUSED_MS;
  for (;;) {
    const isRead = await read();
    if (state() !== 'unknown' || !isRead || entry.triedAt >= enough) return state();
  }
}

/** What a list says of a token's build. Invalid are also builds that began after it, and that is not to say they are over. */
function stateIn(list: ReadList | undefined, { status, iat }: IdToken, ms: number): BuildsAnswer {
  if (!isGood(list, ms)) return 'unknown';
  const bit = statusAt(list.bytes, 1, status?.status_list?.idx ?? -1);
  if (bit === VALID) return 'running';
  return bit === undefined || list.iat - iat >= SURE_SECONDS ? 'over' : 'unknown';
}

function isGood(list: ReadList | undefined, ms: number): list is ReadList {
  return list !== undefined && ms < list.expiresAt;
}

/** Nothing is fetched from anywhere but the issuer's own lists, whatever a token says. */
function isListOf(issuer: string, uri: unknown): uri is string {
  if (typeof uri !== 'string') return false;
  const prefix = `${issuer}/status-lists/`;
  return uri.startsWith(prefix) && /^[0-9]{1,16}-[0-9]{1,12}$/.test(uri.slice(prefix.length));
}

async function readList(
  uri: string,
  { issuer, keys, get, now, leewaySeconds }: BuildsContext,
  isNewest: boolean,
): Promise<ReadList> {
  const token = await get(uri, 'application/statuslist+jwt', isNewest);
  if (!isCanonicalForm(token)) throw new Error('the list is no compact JWS in its one form');
  const key = await keys.find(token.slice(0, token.indexOf('.')), 'statuslist+jwt');
  if (!isSignedWith(key, token)) throw new Error('the signature of the list is not good');
  const { iss, sub, iat, exp, ttl, status_list } = readClaims(token);
  const seconds = now() / 1000;
  if (iss !== issuer || sub !== uri) throw new Error('the list is another one');
  if (!isTime(iat) || iat > seconds + leewaySeconds) throw new Error('the list is of the future');
  if (!isTime(exp) || exp <= seconds) throw new Error('the list has expired');
  const list = status_list as StatusList;
  if (list.bits !== 1) throw new Error('the list has more than one bit a build');
  const ttlMs = isTime(ttl) ? ttl * 1000 : RETRY_MS;
  return { bytes: decodeStatusList(list), iat, expiresAt: exp * 1000, ttlMs };
}

function isTime(value: unknown): value is number {
  return Number.isSafeInteger(value);
}
