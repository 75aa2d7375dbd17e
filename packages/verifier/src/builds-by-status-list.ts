import { decodeStatusList, type StatusList, statusAt } from '@mayfly/contracts/status-list';
import { compactVerify } from 'jose';
import type { Builds, BuildsContext } from './builds.ts';
import { readClaims } from './claims.ts';

type ReadList = { bytes: Uint8Array; expiresAt: number; ttlMs: number };
type Entry = {
  list: ReadList | undefined;
  reading: Promise<void> | undefined;
  usedAt: number;
  triedAt: number;
};

/** Lists that are kept at once, and how long one is kept fresh that nobody asks for, ms. */
const MAX_LISTS = 64;
const UNUSED_MS = 60_000;
/** How soon a list that cannot be read is tried again, ms. */
const RETRY_MS = 1000;
const VALID = 0;

/**
 * Reads the Status List Token that a token names (draft-ietf-oauth-status-list-21 §8.3), and again before its `ttl` is
 * over, as long as tokens name it. After its `exp` nobody knows.
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
    const again = () => (performance.now() - entry.usedAt > UNUSED_MS ? forget(uri) : read(uri, entry));
    timers.set(uri, setTimeout(again, ms).unref());
  };
  const read = (uri: string, entry: Entry): Promise<void> => {
    entry.triedAt = performance.now();
    entry.reading ??= readList(uri, context)
      .then((list) => {
        entry.list = list;
        readLater(uri, entry, Math.max(list.ttlMs - 1000, RETRY_MS));
      })
      .catch(() => readLater(uri, entry, RETRY_MS))
      .finally(() => {
        entry.reading = undefined;
      });
    return entry.reading;
  };
  const stateOf = ({ list }: Entry, idx: number) => {
    if (!list || now() >= list.expiresAt) return undefined;
    return statusAt(list.bytes, 1, idx) === VALID ? 'running' : 'over';
  };
  const entryOf = (uri: string): Entry | undefined => {
    if (!isListOf(issuer, uri)) return undefined;
    if (entries.size >= MAX_LISTS) forget(entries.keys().next().value as string);
    const made = { list: undefined, reading: undefined, usedAt: 0, triedAt: -Infinity };
    entries.set(uri, made);
    return made;
  };
  return (_token, { status }) => {
    const { idx, uri } = status?.status_list ?? { idx: -1, uri: '' };
    const entry = entries.get(uri) ?? entryOf(uri);
    if (!entry) return 'unknown';
    entry.usedAt = performance.now();
    const state = stateOf(entry, idx);
    if (state) return state;
    if (!entry.reading && performance.now() - entry.triedAt < RETRY_MS) return 'unknown';
    return read(uri, entry).then(() => stateOf(entry, idx) ?? 'unknown');
  };
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
): Promise<ReadList> {
  const token = await get(uri, 'application/statuslist+jwt');
  const { key, alg } = await keys.find(token.slice(0, token.indexOf('.')), 'statuslist+jwt');
  const { payload } = await compactVerify(token, key, { algorithms: [alg] });
  const { iss, sub, iat, exp, ttl, status_list } = readClaims(payload);
  const seconds = now() / 1000;
  if (iss !== issuer || sub !== uri) throw new Error('the list is another one');
  if (!isTime(iat) || iat > seconds + leewaySeconds) throw new Error('the list is of the future');
  if (!isTime(exp) || exp <= seconds) throw new Error('the list has expired');
  const list = status_list as StatusList;
  if (list.bits !== 1) throw new Error('the list has more than one bit a build');
  return { bytes: decodeStatusList(list), expiresAt: exp * 1000, ttlMs: isTime(ttl) ? ttl * 1000 : RETRY_MS };
}

function isTime(value: unknown): value is number {
  return Number.isSafeInteger(value);
}
