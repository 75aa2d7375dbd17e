import { encodeStatusList, statusesOf } from '@mayfly/contracts/status-list';
import { withLowS } from '@mayfly/contracts/testing';
import { type CryptoKey, exportJWK, generateKeyPair, type JWK, type JWTPayload, SignJWT } from 'jose';
import type { Fetch } from './get.ts';
import type { VerificationError } from './verification-error.ts';

export const ISSUER = 'https://id.example.com/acme';
export const AUDIENCE = 'https://api.example.com';
export const LIST = `${ISSUER}/status-lists/1763622000000-0`;

type Signing = { kid: string; alg: 'RS256' | 'ES256'; privateKey: CryptoKey; jwk: JWK };

/** An issuer in memory: what it publishes can be changed, and what it was asked is written down. */
export type FakeIssuer = {
  fetch: Fetch;
  asked: string[];
  keys: JWK[];
  /** Bit `idx` says that this build runs. */
  running: Set<number>;
  isDown: boolean;
  answers: Map<string, () => Response | Promise<Response>>;
  signing: Signing;
  sign(claims?: JWTPayload, header?: Record<string, unknown>, key?: CryptoKey): Promise<string>;
};

/** Makes a key pair of an issuer. */
export async function makeKey(kid: string, alg: 'RS256' | 'ES256'): Promise<Signing> {
  const { publicKey, privateKey } = await generateKeyPair(alg, { extractable: true });
  const jwk = { ...(await exportJWK(publicKey)), kid, alg, use: 'sig' };
  return { kid, alg, privateKey: privateKey as CryptoKey, jwk };
}

/** Makes an issuer with one key, whose build with bit 3 runs. */
export async function fakeIssuer(now: () => number = Date.now): Promise<FakeIssuer> {
  const signing = await makeKey('k1', 'ES256');
  const seconds = () => Math.floor(now() / 1000);
  const issuer: FakeIssuer = {
    ...{ asked: [], keys: [signing.jwk], running: new Set([3]), isDown: false, answers: new Map(), signing },
    fetch: async (input) => {
      const url = String(input);
      issuer.asked.push(url);
      const answer = issuer.answers.get(url);
      if (issuer.isDown) throw new TypeError('fetch failed');
      return answer ? await answer() : new Response('', { status: 404 });
    },
    sign: async (claims = {}, header = {}, key = signing.privateKey) => {
      const full = { alg: signing.alg, typ: 'JWT', kid: signing.kid, ...header };
      const token = new SignJWT({ ...plainClaims(seconds()), ...claims }).setProtectedHeader(full).sign(key);
      return withLowS(await token, full.alg);
    },
  };
  issuer.answers.set(`${ISSUER}/.well-known/openid-configuration`, () =>
    Response.json({ issuer: ISSUER, jwks_uri: `${ISSUER}/jwks` }),
  );
  issuer.answers.set(`${ISSUER}/jwks`, () => Response.json({ keys: issuer.keys }));
  issuer.answers.set(LIST, async () => new Response(await statusListToken(issuer, seconds())));
  return issuer;
}

export function plainClaims(seconds: number): JWTPayload {
  return {
    ...{ iss: ISSUER, aud: AUDIENCE, sub: 'repo:1', jti: 'YWNtZS8xL3J1bg.1' },
    ...{ iat: seconds, nbf: seconds - 30, exp: seconds + 300 },
    status: { status_list: { idx: 3, uri: LIST } },
  };
}

/** Signs the list of the builds that run, and whatever the test wants to be other about it. */
export async function statusListToken(
  { running, signing }: FakeIssuer,
  seconds: number,
  other: JWTPayload = {},
): Promise<string> {
  const bits = new Uint8Array(8192);
  for (const idx of running) bits[idx >> 3] = (bits[idx >> 3] as number) | (0x80 >> (idx & 7));
  const claims = { iss: ISSUER, sub: LIST, iat: seconds, exp: seconds + 10, ttl: 5 };
  return await new SignJWT({ ...claims, status_list: encodeStatusList(statusesOf(bits)), ...other })
    .setProtectedHeader({ alg: signing.alg, kid: signing.kid, typ: 'statuslist+jwt' })
    .sign(signing.privateKey);
}

/** Gives the code that a verification fails with, `taken` where it does not. */
export const codeOf = (verifying: Promise<unknown>) =>
  verifying.then(
    () => 'taken',
    (error: VerificationError) => error.code,
  );
