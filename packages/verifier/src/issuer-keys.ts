import type { JsonWebKey } from 'node:crypto';
import { type VerifyingKey, verifyingKey } from '@mayfly/contracts/verifying-key';
import type { Get } from './get.ts';
import { refuse } from './verification-error.ts';

/** Every algorithm that an issuer signs with: ID tokens with either, status lists with ES256. */
export const ALGORITHMS = ['RS256', 'ES256'] as const;

/** A signature algorithm that tokens may have. */
export type Algorithm = (typeof ALGORITHMS)[number];

/** The keys of one issuer. */
export type IssuerKeys = {
  /**
   * Takes the first part of a token, the `typ` that it must have and the algorithms that such a token may have; gives the
   * key that it names, at once where that is known already. Throws `wrong_type`, `untrusted_key`, or `cannot_know` where the issuer's keys cannot be read.
   */
  find(header: string, typ: string, algorithms?: readonly Algorithm[]): VerifyingKey | Promise<VerifyingKey>;
};

type Issuer = { issuer: string; get: Get; now(): number };
type PublishedKey = JsonWebKey & { kid: string; alg: Algorithm };
type KeySet = ReadonlyMap<string, VerifyingKey>;

/** How often the keys are read again, and how long a token with an unknown `kid` has to wait for the next reading, ms. */
const REFRESH_MS = 60_000;
const COOLDOWN_MS = 10_000;
/** How long keys are believed that cannot be read again, ms. */
const MAX_STALE_MS = 24 * 3_600_000;
const MAX_HEADERS = 1000;

/** Takes the issuer; gives its keys, read when first needed and then every minute. */
export function issuerKeys({ issuer, get, now }: Issuer, resources: DisposableStack): IssuerKeys {
  let keys: KeySet | undefined;
  let readAt = -Infinity;
  let triedAt = -Infinity;
  let reading: Promise<void> | undefined;
  let timer: NodeJS.Timeout | undefined;
  let failure: unknown;
  const headers = new Map<string, { typ: string; key: VerifyingKey }>();
  resources.defer(() => clearInterval(timer));

  const read = async () => {
    const found = await readKeys(issuer, get);
    headers.clear();
    keys = found;
    readAt = now();
    failure = undefined;
  };
  const refresh = (): Promise<void> => {
    triedAt = performance.now();
    timer ??= setInterval(() => void refresh().catch(() => undefined), REFRESH_MS).unref();
    reading ??= read().finally(() => {
      reading = undefined;
    });
    return reading;
  };
  /** However many tokens with unknown keys come, the issuer is asked once in ten seconds. */
  const refreshOnce = async () => {
    const isTooSoon = performance.now() - triedAt < COOLDOWN_MS;
    await (isTooSoon ? reading : refresh())?.catch((cause: unknown) => {
      failure = cause;
    });
  };
  const isBelieved = () => now() - readAt < MAX_STALE_MS;
  const keyOf = async (kid: string): Promise<VerifyingKey | undefined> => {
    if (!keys?.has(kid)) await refreshOnce();
    if (!keys || !isBelieved()) throw refuse('cannot_know', failure);
    return keys.get(kid);
  };
  const findNew = async (header: string, typ: string, algorithms: readonly Algorithm[]) => {
    const { alg, kid } = readHeader(header, typ);
    const key = await keyOf(kid);
    if (!key || key.alg !== alg || !algorithms.includes(key.alg)) throw refuse('untrusted_key');
    // Not where the keys were read anew meanwhile, and this is none of them.
    if (keys?.get(kid) === key && headers.size < MAX_HEADERS) headers.set(header, { typ, key });
    return key;
  };
  return {
    find(header, typ, algorithms = ALGORITHMS) {
      const known = headers.get(header);
      if (known?.typ === typ && isBelieved() && algorithms.includes(known.key.alg)) return known.key;
      return findNew(header, typ, algorithms);
    },
  };
}

function readHeader(segment: string, typ: string): { alg: unknown; kid: string } {
  let header: Record<string, unknown>;
  try {
    header = { ...(JSON.parse(Buffer.from(segment, 'base64url').toString()) as object) };
  } catch (cause) {
    throw refuse('malformed', cause);
  }
  if (header['typ'] !== typ) throw refuse('wrong_type');
  const { alg, kid } = header;
  // Nothing of ours has `crit`, `jwk`, `jku`, `x5u` or any other member.
  const hasOthers = Object.keys(header).some((name) => !['alg', 'kid', 'typ'].includes(name));
  if (hasOthers || typeof kid !== 'string') throw refuse('untrusted_key');
  return { alg, kid };
}

async function readKeys(issuer: string, get: Get): Promise<KeySet> {
  const metadata = JSON.parse(
    await get(`${issuer}/.well-known/openid-configuration`, 'application/json'),
  ) as {
    issuer?: unknown;
    jwks_uri?: unknown;
  };
  // OpenID Connect Discovery §4.3.
  if (metadata.issuer !== issuer) throw new Error('the metadata is of another issuer');
  if (typeof metadata.jwks_uri !== 'string') throw new Error('the metadata names no key set');
  if (!isBelow(issuer, metadata.jwks_uri)) throw new Error('the key set is not at the address of the issuer');
  const { keys } = JSON.parse(await get(metadata.jwks_uri, 'application/jwk-set+json')) as {
    keys: PublishedKey[];
  };
  const found = new Map<string, VerifyingKey>();
  for (const jwk of keys.slice(0, 100)) {
    const key = publicKey(jwk);
    if (key && !found.has(jwk.kid)) found.set(jwk.kid, key);
  }
  if (found.size === 0) throw new Error('the issuer has no key that is taken');
  return found;
}

/** Both as `fetch` reads them: `..`, a backslash and a host in another case are no way around it. */
function isBelow(issuer: string, uri: string): boolean {
  return URL.canParse(uri) && new URL(uri).href.startsWith(new URL(`${issuer}/`).href);
}

/** Takes a published key; gives it if it is one to verify with, undefined for every other. */
function publicKey({ kid, alg, kty, use, n, e, crv, x, y }: PublishedKey): VerifyingKey | undefined {
  if (typeof kid !== 'string' || (use !== undefined && use !== 'sig') || !ALGORITHMS.includes(alg))
    return undefined;
  if (alg === 'ES256' && crv !== 'P-256') return undefined;
  const bare = alg === 'RS256' ? { kty, n, e } : { kty, crv, x, y };
  try {
    return verifyingKey({ ...bare, kid, alg } as PublishedKey);
  } catch {
    return undefined;
  }
}
