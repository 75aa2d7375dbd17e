import { issuerUrl } from '@mayfly/contracts/issuer-url';
import { withLowS } from '@mayfly/contracts/testing';
import { SignJWT } from 'jose';
import type { Ci, TestBuild } from './ci.ts';
import { type Answer, answerOf, knownAnswer } from './relying-party.ts';
import type { TestSystem } from './system.ts';

/** The audience of the tokens that tests are given unless they ask for another. */
export const API = 'https://api.example.com';

/** Starts a build and waits for its token. */
export async function startedToken(ci: Ci, build: TestBuild): Promise<string> {
  await ci.start(build);
  const { data } = await ci.heard(build.id);
  const token = data.id_tokens['API_TOKEN'];
  if (!token) throw new Error(`no token: ${JSON.stringify(data.id_token_errors)}`);
  return token;
}

/** The Authorization header of a relying party of this system. */
export function basic(system: TestSystem, party = 'api'): string {
  return `Basic ${Buffer.from(`${party}:${system.secret(`relying-party-${party}`)}`).toString('base64')}`;
}

type Asked = {
  path?: string;
  source?: string;
  at?: string;
  authorization?: string | null;
  type?: string | null;
  method?: string;
};

/** Sends any body to introspection, with any credentials and content type, until the publisher knows. */
export function ask(system: TestSystem, body: string | null, asked: Asked = {}): Promise<Answer> {
  return knownAnswer(() => askOnce(system, body, asked));
}

/** The same, asked once: the answer may be 503. */
export async function askOnce(system: TestSystem, body: string | null, asked: Asked = {}): Promise<Answer> {
  const { source = 'acme', at = 'jwks-publisher', path = '/introspect', method = 'POST' } = asked;
  const { authorization = basic(system), type = 'application/x-www-form-urlencoded' } = asked;
  const headers = new Headers();
  if (authorization !== null) headers.set('authorization', authorization);
  if (type !== null) headers.set('content-type', type);
  const url = `${issuerUrl(system.urlOf(at), source)}${path}`;
  const bytes = body === null ? null : new TextEncoder().encode(body);
  return await answerOf(
    await fetch(url, {
      method,
      headers,
      body: bytes,
      redirect: 'manual',
      signal: AbortSignal.timeout(15_000),
    }),
  );
}

/** Makes a token that looks like one of ours, signed with a key that is not. */
export async function forgedToken(kid: string, issuer: string): Promise<string> {
  const { privateKey } = await crypto.subtle.generateKey({ name: 'ECDSA', namedCurve: 'P-256' }, false, [
    'sign',
    'verify',
  ]);
  const now = Math.floor(Date.now() / 1000);
  const token = new SignJWT({ jti: 'x.y', nbf: now - 30 })
    .setProtectedHeader({ alg: 'ES256', typ: 'JWT', kid })
    .setIssuer(issuer)
    .setAudience(API)
    .setIssuedAt(now)
    .setExpirationTime(now + 300)
    .sign(privateKey);
  return withLowS(await token);
}
