import type { TokenGrant } from '@mayfly/contracts/events';
import { issuerUrl } from '@mayfly/contracts/issuer-url';
import type { TestSystem } from './system.ts';

/** An answer, with what a test looks at. */
export type Answer = { status: number; headers: Headers; body: Record<string, unknown>; text: string };

/** How long one answer may take, ms. */
const ANSWER_MS = 15_000;
/** For how long it is asked again where a service says that it cannot know now (503), which a moment's stall may cause, ms. */
const KNOWN_MS = 30_000;

/** Asks again while the answer is 503; gives the last answer. */
export async function knownAnswer(ask: () => Promise<Answer>): Promise<Answer> {
  const deadline = Date.now() + KNOWN_MS;
  for (;;) {
    const answer = await ask();
    if (answer.status !== 503 || Date.now() > deadline) return answer;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** Asks the publisher about a token, as a relying party with its own credentials, until it knows. */
export function introspect(system: TestSystem, token: string, where = {}): Promise<Answer> {
  return knownAnswer(() => introspectOnce(system, token, where));
}

/** The same, asked once: the answer may be 503. */
export async function introspectOnce(
  system: TestSystem,
  token: string,
  { party = 'api', source = 'acme', at = 'jwks-publisher' } = {},
): Promise<Answer> {
  const credentials = Buffer.from(`${party}:${system.secret(`relying-party-${party}`)}`).toString('base64');
  return await answerOf(
    await fetch(`${issuerUrl(system.urlOf(at), source)}/introspect`, {
      method: 'POST',
      headers: { authorization: `Basic ${credentials}`, 'content-type': 'application/x-www-form-urlencoded' },
      body: new URLSearchParams({ token }),
      signal: AbortSignal.timeout(ANSWER_MS),
    }),
  );
}

/** Says whether introspection calls a token active; undefined where it does not know. */
export async function isActive(system: TestSystem, token: string, where = {}): Promise<boolean | undefined> {
  return activeOf(await introspectOnce(system, token, where));
}

/** The same, asked again while introspection does not know. */
export async function knownActive(system: TestSystem, token: string, where = {}): Promise<boolean> {
  const active = activeOf(await introspect(system, token, where));
  if (active === undefined) throw new Error(`introspection does not know after ${KNOWN_MS / 1000} s`);
  return active;
}

function activeOf({ status, body }: Answer): boolean | undefined {
  if (status === 503) return undefined;
  if (status !== 200) throw new Error(`introspection answered ${status}`);
  return body['active'] as boolean;
}

/** Asks for a token as the runner that holds a grant, until the issuer knows; at another issuer process where one is named. */
export function requestToken(
  system: TestSystem,
  grant: TokenGrant,
  query: string,
  where = {},
): Promise<Answer> {
  return knownAnswer(() => requestTokenOnce(system, grant, query, where));
}

/** The same, asked once: the answer may be 503. */
export async function requestTokenOnce(
  system: TestSystem,
  { data }: TokenGrant,
  query: string,
  { at = 'issuer', token = data.id_token_request_token } = {},
): Promise<Answer> {
  const { search } = new URL(data.id_token_request_url);
  const headers = token === '' ? {} : { authorization: `Bearer ${token}` };
  const url = `${system.urlOf(at)}/token${search}&${query}`;
  return await answerOf(await fetch(url, { headers, signal: AbortSignal.timeout(ANSWER_MS) }));
}

/** Reads a response to its end. */
export async function answerOf(response: Response): Promise<Answer> {
  const text = await response.text();
  const isJson = response.headers.get('content-type')?.includes('json');
  const body = isJson ? (JSON.parse(text) as Record<string, unknown>) : {};
  return { status: response.status, headers: response.headers, body, text };
}
