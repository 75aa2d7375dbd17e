import { isCanonicalJws } from '@mayfly/contracts/compact-jws';
import { hasOnlySignature } from '@mayfly/contracts/low-s';
import { isSignedWith, type VerifyingKey } from '@mayfly/contracts/verifying-key';
import { type BuildsAnswer, type BuildsBy, buildsSource } from './builds.ts';
import { checkClaims, type IdToken, readClaims } from './claims.ts';
import { type Fetch, publicGetter } from './get.ts';
import { ALGORITHMS, type Algorithm, issuerKeys } from './issuer-keys.ts';
import { refuse } from './verification-error.ts';

/** Whose tokens are taken, and how it is known whether their builds still run. */
export type VerifierOptions = {
  /** The one issuer whose tokens are taken, as it stands in `iss`. */
  issuer: string;
  /** The one audience that tokens must be meant for: yours. */
  audience: string;
  /** How it is known whether a build still runs; the status list if left out. */
  builds?: BuildsBy;
  /** What becomes of a token of which it cannot be known whether its build runs: refused, if left out. */
  whenUnknown?: 'refuse' | 'accept';
  /** Signature algorithms that ID tokens may have: RS256 and ES256 if left out. The issuer's lists may have either. */
  algorithms?: readonly Algorithm[];
  /** How much the clocks may differ, seconds: 5 if left out, 60 at most. */
  leewaySeconds?: number;
  /** The clock, ms since 1970. */
  now?: () => number;
  /** What asks the issuer. */
  fetch?: Fetch;
};

/** Verifies ID tokens of one issuer for one audience, until it is closed. */
export type Verifier = Disposable & {
  /** Takes a token; gives what it says. Throws a VerificationError that says in `code` which check failed. */
  verify(token: string): Promise<IdToken>;
  /** Ends what runs in the background. */
  close(): void;
};

const DEFAULT_LEEWAY_SECONDS = 5;
const MAX_LEEWAY_SECONDS = 60;

/**
 * Takes an issuer and an audience; gives the verifier of its tokens. It reads the issuer's keys when they are first
 * needed and refreshes them in the background.
 *
 * @example
 * const verifier = createVerifier({ issuer: 'https://id.example.com/acme', audience: 'https://api.example.com' });
 * const { sub, repository } = await verifier.verify(token);
 */
export function createVerifier(options: VerifierOptions): Verifier {
  const { issuer, audience, builds: by = 'status-list', whenUnknown = 'refuse' } = options;
  const { algorithms = ALGORITHMS, now = Date.now, fetch = globalThis.fetch } = options;
  const leewaySeconds = boundedLeeway(options.leewaySeconds);
  if (!issuer || !audience) throw new TypeError('a verifier needs an issuer and an audience');

  const resources = new DisposableStack();
  const get = publicGetter(fetch);
  const keys = issuerKeys({ issuer, get, now }, resources);
  const builds = buildsSource(by, { issuer, keys, get, fetch, now, leewaySeconds }, resources);

  return {
    async verify(token) {
      // RFC 7515 §3.1: one token is one string.
      if (!isCanonicalJws(token)) throw refuse('malformed');
      // RFC 8725 §3.1, §3.11: `typ`, a closed list of algorithms, and the key decides which of them.
      const key = keys.find(token.slice(0, token.indexOf('.')), 'JWT', algorithms);
      requireSignature(token, key instanceof Promise ? await key : key);
      // RFC 8725 §3.8, §3.9: `iss` by equality, one audience, times within the leeway.
      const claims = checkClaims(readClaims(token), { issuer, audience, leewaySeconds, now });
      // A token is worth something only while its build runs.
      const answer = builds(token, claims);
      const state: BuildsAnswer = typeof answer === 'string' ? answer : await answer;
      if (state === 'over') throw refuse('build_not_running');
      if (state === 'unknown' && whenUnknown === 'refuse') throw refuse('cannot_know');
      return claims;
    },
    close: () => resources.dispose(),
    [Symbol.dispose]: () => resources.dispose(),
  };
}

function requireSignature(token: string, key: VerifyingKey): void {
  // Of the two S that ECDSA takes for as good the issuer writes the lower.
  if (!hasOnlySignature(token, key.alg)) throw refuse('malformed');
  if (!isSignedWith(key, token)) throw refuse('bad_signature');
}

function boundedLeeway(seconds = DEFAULT_LEEWAY_SECONDS): number {
  if (!(seconds >= 0 && seconds <= MAX_LEEWAY_SECONDS))
    throw new TypeError('leewaySeconds must be from 0 to 60');
  return seconds;
}
