import { setTimeout as delay } from 'node:timers/promises';
import { CommandError } from './exit-codes.ts';
import { answerWithin, isTooLate, waitBefore } from './patience.ts';
import { isPassing, type VaultAnswer } from './vault-refusal.ts';

/** Where a Vault is, and how patient we are with it. */
export type VaultPlace = {
  url: string;
  namespace?: string | undefined;
  timeoutMs: number;
  signal?: AbortSignal | undefined;
};

/** One question to Vault: a path below `/v1/`, escaped for a URL. */
export type VaultQuestion = {
  path: string;
  method?: 'GET' | 'POST';
  token?: string;
  body?: Record<string, unknown>;
};

/** A Vault that can be asked. */
export type Vault = { origin: string; ask(question: VaultQuestion): Promise<VaultAnswer> };

const MAX_ANSWER_BYTES = 8 * 1024 * 1024;

/** The Vault at an address: tries again, until `timeoutMs` have passed, while it is away or cannot answer now. */
export function vaultAt(place: VaultPlace): Vault {
  const base = baseOf(place.url);
  const askFor = async (question: VaultQuestion): Promise<VaultAnswer> => {
    const giveUpAt = Date.now() + place.timeoutMs;
    for (let attempt = 0; ; attempt += 1) {
      const withinMs = answerWithin(place.timeoutMs, giveUpAt);
      const url = `${base.href}v1/${question.path}`;
      const { answer, retryAfter, failure } = await once(url, question, place, withinMs);
      if (answer && !isPassing(answer.status)) return answer;
      place.signal?.throwIfAborted();
      const waitMs = waitBefore(attempt, retryAfter);
      if (isTooLate(waitMs, giveUpAt)) return answer ?? unreachable(base.origin, failure);
      await delay(waitMs, undefined, { signal: place.signal });
    }
  };
  return { origin: base.origin, ask: askFor };
}

/** The address with a slash at its end; one that could carry a secret or lead elsewhere is refused. */
function baseOf(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (!url || !/^https?:$/.test(url.protocol) || url.username || url.password || url.search || url.hash)
    throw new CommandError(
      'configuration',
      'the address of Vault is no http(s) URL, such as https://vault.example',
    );
  url.pathname = `${url.pathname.replace(/\/+$/, '')}/`;
  return url;
}

/** A redirect is not followed: it would carry a token to somebody else. */
async function once(
  url: string,
  { method = 'GET', token, body }: VaultQuestion,
  place: VaultPlace,
  withinMs: number,
) {
  const timeout = AbortSignal.timeout(withinMs);
  try {
    const response = await fetch(url, {
      method,
      redirect: 'manual',
      headers: {
        'x-vault-request': 'true',
        ...(token === undefined ? {} : { 'x-vault-token': token }),
        ...(place.namespace === undefined ? {} : { 'x-vault-namespace': place.namespace }),
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      signal: place.signal ? AbortSignal.any([place.signal, timeout]) : timeout,
    });
    const retryAfter = response.headers.get('retry-after');
    const answer = { status: response.status, body: await jsonOf(response) };
    return { answer, retryAfter, failure: undefined };
  } catch (failure) {
    return { answer: undefined, retryAfter: undefined, failure };
  }
}

async function jsonOf(response: Response): Promise<VaultAnswer['body']> {
  const text = await response.text();
  if (text.length > MAX_ANSWER_BYTES) return undefined;
  try {
    const body: unknown = JSON.parse(text);
    return typeof body === 'object' && body !== null ? (body as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}

function unreachable(origin: string, failure: unknown): never {
  const { cause, name } = failure as Error & { cause?: { code?: string } };
  const why = cause?.code ?? name;
  throw new CommandError(
    'unreachable',
    `Vault at ${origin} cannot be reached (${why}): check the address and the network, then run this again`,
  );
}
