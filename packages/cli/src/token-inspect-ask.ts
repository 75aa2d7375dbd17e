import { isSignedWith, verifyingKey } from '@mayfly/contracts/verifying-key';
import type { InspectedToken } from '@mayfly/trust/inspect-token';
import { CommandError } from './exit-codes.ts';

/** What the issuer says: whether one of its keys signed the token and, to a relying party, whether it is active. */
export type IssuerAnswer = {
  signature: 'good' | 'bad' | 'no such key';
  active?: boolean;
  /** What introspection says besides. */
  introspection?: Record<string, unknown>;
  build?: { state: string; reason?: string; attempt: number } | null;
};

type Question = {
  token: string;
  inspected: InspectedToken;
  issuer: string;
  credentials: { name: string; secret: string } | undefined;
  timeoutMs: number;
};

/** Asks the issuer for its keys and, with credentials, for the token and its build. Throws where it cannot be asked. */
export async function askIssuer(question: Question): Promise<IssuerAnswer> {
  requireSafe(question.issuer);
  const { body } = await ask(question, '/jwks', {});
  const signature = judge(question, (body['keys'] ?? []) as Record<string, unknown>[]);
  if (!question.credentials) return { signature };
  const { active, ...introspection } = await introspect(question);
  if (active === true) return { signature, active, introspection };
  const build = await buildOf(question);
  return { signature, active: false, ...(build !== undefined && { build }) };
}

function requireSafe(issuer: string): void {
  if (!URL.canParse(issuer)) throw new CommandError('usage', '--issuer is no URL: give what iss says');
  const { protocol, hostname } = new URL(issuer);
  const isLocal = ['localhost', '127.0.0.1', '[::1]'].includes(hostname);
  if (protocol === 'https:' || (protocol === 'http:' && isLocal)) return;
  throw new CommandError('usage', '--issuer is not reached by https: a token and a secret go no other way');
}

function judge(
  { token, inspected }: Question,
  keys: readonly Record<string, unknown>[],
): IssuerAnswer['signature'] {
  const { kid, alg } = inspected.header;
  const jwk = keys.find((one) => one['kid'] === kid);
  if (!jwk) return 'no such key';
  const itsAlg = jwk['kty'] === 'EC' ? 'ES256' : 'RS256';
  if (alg !== itsAlg) return 'bad';
  return isSignedWith(verifyingKey({ ...jwk, kid: String(kid), alg: itsAlg }), token) ? 'good' : 'bad';
}

async function introspect(question: Question): Promise<Record<string, unknown>> {
  const { token, issuer } = question;
  const { status, body } = await ask(question, '/introspect', {
    method: 'POST',
    body: new URLSearchParams({ token }),
    headers: authorization(question),
  });
  if (status === 200) return body;
  throw new CommandError(
    'refused',
    `${new URL(issuer).origin} does not know this relying party by this secret (status ${status}): check --relying-party, and the file of --secret-file`,
  );
}

async function buildOf(question: Question): Promise<IssuerAnswer['build']> {
  const { build } = question.inspected;
  if (!build) return undefined;
  const path = `/builds/${encodeURIComponent(build.id)}`;
  const { status, body } = await ask(question, path, { headers: authorization(question) });
  if (status === 404) return null;
  return status === 200 ? (body as NonNullable<IssuerAnswer['build']>) : undefined;
}

function authorization({ credentials }: Question): Record<string, string> {
  const { name = '', secret = '' } = credentials ?? {};
  const encoded = [name, secret].map((one) => encodeURIComponent(one)).join(':');
  return { authorization: `Basic ${Buffer.from(encoded).toString('base64')}` };
}

/** A redirect is not followed: it would carry the token and the secret to somebody else. */
async function ask({ issuer, timeoutMs }: Question, path: string, init: RequestInit) {
  const url = `${issuer}${path}`;
  const signal = AbortSignal.timeout(timeoutMs);
  const answer = await fetch(url, { ...init, redirect: 'manual', signal }).catch((cause: unknown) => {
    throw unreachable(issuer, 'it does not answer', cause);
  });
  if (answer.status >= 500 || answer.status === 429)
    throw unreachable(issuer, `status ${answer.status}`, undefined);
  const body: unknown = await answer.json().catch(() => ({}));
  if (path === '/jwks' && answer.status !== 200)
    throw new CommandError(
      'configuration',
      `${url} is no key set (status ${answer.status}): give --issuer as iss says it`,
    );
  return { status: answer.status, body: body as Record<string, unknown> };
}

function unreachable(issuer: string, why: string, cause: unknown): CommandError {
  const { origin } = new URL(issuer);
  return new CommandError(
    'unreachable',
    `${origin} cannot answer (${why}): check --issuer and the network, then run this again`,
    { cause },
  );
}
