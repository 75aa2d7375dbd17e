import { setTimeout as delay } from 'node:timers/promises';
import { CommandError } from './exit-codes.ts';
import { answerWithin, isTooLate, waitBefore } from './patience.ts';
import { refusal } from './refusal.ts';

/** What a token may be asked for with, in the words of the issuer's policy. */
export type TokenRequest = {
  audiences: readonly string[];
  lifetimeSeconds?: number | undefined;
  claims?: readonly string[] | undefined;
  subjectClaim?: string | undefined;
  awsSessionTags?: readonly string[] | undefined;
};

/** A token, and when it expires (seconds since 1970). */
export type IssuedToken = { token: string; expiresAt: number };

/** The issuer, as a runner that holds a request token sees it. */
export type Issuer = {
  /** Gives a token; tries again, until `timeoutMs` have passed, while the issuer is busy or away. */
  issue(request: TokenRequest): Promise<IssuedToken>;
  /** Says that a token of this build has leaked: the build ends, and with it every token of it. */
  reportLeak(reason: string): Promise<void>;
};

type Address = { requestUrl: string; requestToken: string };
type Patience = { timeoutMs: number; signal?: AbortSignal | undefined };

/** The issuer at the address of a grant. */
export function issuerAt(address: Address, patience: Patience): Issuer {
  return {
    async issue(request) {
      const url = `${address.requestUrl}${asQuery(request)}`;
      const body = await ask(url, { method: 'GET' }, address, patience);
      const token = body?.['value'] ?? body?.['token'];
      if (typeof token !== 'string' || !/^[\w-]+\.[\w-]+\.[\w-]+$/.test(token)) {
        throw new CommandError(
          'configuration',
          `what answers at ${originOf(url)} is no issuer of tokens: check the address in the grant`,
        );
      }
      const expiresAt = body?.['expires_at'];
      return { token, expiresAt: typeof expiresAt === 'number' ? expiresAt : 0 };
    },
    async reportLeak(reason) {
      const url = new URL(address.requestUrl);
      url.pathname = url.pathname.replace(/[^/]*$/, 'leak');
      url.search = '';
      const body = JSON.stringify({ reason });
      await ask(
        url.href,
        { method: 'POST', body, headers: { 'content-type': 'application/json' } },
        address,
        patience,
      );
    },
  };
}

function asQuery({ audiences, lifetimeSeconds, claims, subjectClaim, awsSessionTags }: TokenRequest): string {
  const query = new URLSearchParams();
  for (const audience of audiences) query.append('audience', audience);
  if (lifetimeSeconds !== undefined) query.set('lifetime', String(lifetimeSeconds));
  if (claims?.length) query.set('claims', claims.join(','));
  if (subjectClaim !== undefined) query.set('subject_claim', subjectClaim);
  if (awsSessionTags?.length) query.set('aws_session_tags', awsSessionTags.join(','));
  return `&${query}`;
}

type Body = Record<string, unknown> | undefined;

async function ask(
  url: string,
  init: RequestInit,
  { requestToken }: Address,
  patience: Patience,
): Promise<Body> {
  const giveUpAt = Date.now() + patience.timeoutMs;
  for (let attempt = 0; ; attempt += 1) {
    const withinMs = answerWithin(patience.timeoutMs, giveUpAt);
    const { answer, failure } = await once(url, init, requestToken, patience.signal, withinMs);
    if (answer?.ok) return await jsonOf(answer);
    patience.signal?.throwIfAborted();
    const waitMs = waitBefore(attempt, answer?.headers.get('retry-after'));
    const isPassing = answer === undefined || answer.status === 429 || answer.status >= 500;
    if (!isPassing || isTooLate(waitMs, giveUpAt)) {
      throw answer ? refusal(answer.status, await jsonOf(answer), originOf(url)) : unreachable(url, failure);
    }
    await answer?.body?.cancel();
    await delay(waitMs, undefined, { signal: patience.signal });
  }
}

/** A redirect is not followed: it would carry the request token to somebody else. */
async function once(
  url: string,
  init: RequestInit,
  requestToken: string,
  signal: AbortSignal | undefined,
  withinMs: number,
) {
  const headers = { ...(init.headers as Record<string, string>), authorization: `Bearer ${requestToken}` };
  const timeout = AbortSignal.timeout(withinMs);
  try {
    const options = {
      headers,
      redirect: 'manual' as const,
      signal: signal ? AbortSignal.any([signal, timeout]) : timeout,
    };
    return { answer: await fetch(url, { ...init, ...options }), failure: undefined };
  } catch (failure) {
    return { answer: undefined, failure };
  }
}

async function jsonOf(answer: Response): Promise<Body> {
  const body: unknown = await answer.json().catch(() => undefined);
  return typeof body === 'object' && body !== null ? (body as Body) : undefined;
}

function unreachable(url: string, failure: unknown): CommandError {
  const { cause, name } = failure as Error & { cause?: { code?: string } };
  const why = cause?.code ?? name;
  return new CommandError(
    'unreachable',
    `the issuer at ${originOf(url)} cannot be reached (${why}): check the address and the network, then run this again`,
  );
}

/** The address without what may be secret in it. */
function originOf(url: string): string {
  return new URL(url).origin;
}
