import { JwtVerifier } from 'aws-jwt-verify';
import { SimpleJwksCache } from 'aws-jwt-verify/jwk';
import { createRemoteJWKSet, customFetch, jwtVerify } from 'jose';
import { DAY_MS, HOUR_MS, RULES } from './testing.ts';

export const ISSUER = 'https://ci.example/acme';
const JWKS_URL = `${ISSUER}/jwks`;

/** A relying party, and how it keeps our key set: `fetches` are the times at which it asked for it. */
export type Verifier = {
  name: string;
  accepts(token: string, kid: string): Promise<boolean>;
  fetches: number[];
};
/** Gives the key set as one is served at this moment: six minutes old. */
export type Fetch = () => { keys: { kid: string }[] };

/** Gives six kinds of verifiers: by two libraries' own caches, and by models of others. */
export function allVerifiers(fetch: Fetch, start: number): Verifier[] {
  return [
    joseVerifier(fetch),
    awsVerifier(fetch),
    model('one that asks only for an unknown kid', fetch, { maxAgeMs: Infinity, asksForUnknown: true }),
    model('one that asks every 24 hours', fetch, { maxAgeMs: DAY_MS }),
    model('one that obeys max-age', fetch, { maxAgeMs: 300_000 }),
    // At every hour of the day, as one of them is the worst.
    ...Array.from({ length: 24 }, (_, hour) =>
      model('a file copied once a day', fetch, { maxAgeMs: DAY_MS, copiedAt: start - hour * HOUR_MS }),
    ),
  ];
}

const accepted = (verifying: Promise<unknown>) =>
  verifying.then(
    () => true,
    () => false,
  );

function joseVerifier(fetch: Fetch): Verifier {
  const fetches: number[] = [];
  const keySet = createRemoteJWKSet(new URL(JWKS_URL), {
    [customFetch]: async () => {
      fetches.push(Date.now());
      return Response.json(fetch());
    },
  });
  const options = { issuer: ISSUER, clockTolerance: RULES.leewayMs / 1000 };
  return { name: 'jose', fetches, accepts: (token) => accepted(jwtVerify(token, keySet, options)) };
}

function awsVerifier(fetch: Fetch): Verifier {
  const fetches: number[] = [];
  const fetcher = {
    async fetch() {
      fetches.push(Date.now());
      return new TextEncoder().encode(JSON.stringify(fetch())).buffer;
    },
  };
  const verifier = JwtVerifier.create(
    { issuer: ISSUER, audience: 'api', jwksUri: JWKS_URL, graceSeconds: RULES.leewayMs / 1000 },
    { jwksCache: new SimpleJwksCache({ fetcher }) },
  );
  return { name: 'aws-jwt-verify', fetches, accepts: (token) => accepted(verifier.verify(token)) };
}

/** A verifier that knows the kids of its last copy, and looks at nothing else. */
function model(
  name: string,
  fetch: Fetch,
  {
    maxAgeMs,
    asksForUnknown = false,
    copiedAt = 0,
  }: { maxAgeMs: number; asksForUnknown?: boolean; copiedAt?: number },
): Verifier {
  const fetches: number[] = [];
  let known: { kids: Set<string>; at: number } | undefined;
  const copy = (at: number) => {
    fetches.push(Date.now());
    known = { kids: new Set(fetch().keys.map(({ kid }) => kid)), at };
    return known;
  };
  return {
    name,
    fetches,
    async accepts(_token, kid) {
      const turns = Math.floor((Date.now() - copiedAt) / maxAgeMs);
      const due = turns === 0 ? copiedAt : copiedAt + turns * maxAgeMs;
      let current = known && known.at >= due ? known : copy(due);
      if (asksForUnknown && !current.kids.has(kid)) current = copy(Infinity);
      return current.kids.has(kid);
    },
  };
}
