import type { TokenGrant } from '@mayfly/contracts/events';
import { issuerUrl } from '@mayfly/contracts/issuer-url';
import type { TestSystem } from './system.ts';

/** An answer, with what a test looks at. */
export type Answer = { status: number; headers: Headers; body: Record<string, unknown>; text: string };

/** Asks the publisher about a token, as a relying party with its own credentials. */
export async function introspect(
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
      signal: AbortSignal.timeout(5000),
    }),
  );
}

/** Says whether introspection calls a token active; undefined where it does not know. */
export async function isActive(system: TestSystem, token: string, where = {}): Promise<boolean | undefined> {
  const { status, body } = await introspect(system, token, where);
  if (status === 503) return undefined;
  if (status !== 200) throw new Error(`introspection answered ${status}`);
  return body['active'] as boolean;
}

/** The same, asked again for up to ten seconds while introspection does not know. */
export async function knownActive(system: TestSystem, token: string, where = {}): Promise<boolean> {
  const deadline = Date.now() + 10_000;
  for (;;) {
    const active = await isActive(system, token, where);
    if (active !== undefined) return active;
    if (Date.now() > deadline) throw new Error('introspection does not know after 10 s');
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** Asks for a token as the runner that holds a grant; at another issuer process where one is named. */
export async function requestToken(
  system: TestSystem,
  { data }: TokenGrant,
  query: string,
  { at = 'issuer', token = data.id_token_request_token } = {},
): Promise<Answer> {
  const { search } = new URL(data.id_token_request_url);
  const headers = token === '' ? {} : { authorization: `Bearer ${token}` };
  const url = `${system.urlOf(at)}/token${search}&${query}`;
  return await answerOf(await fetch(url, { headers, signal: AbortSignal.timeout(5000) }));
}

/** Reads a response to its end. */
export async function answerOf(response: Response): Promise<Answer> {
  const text = await response.text();
  const isJson = response.headers.get('content-type')?.includes('json');
  const body = isJson ? (JSON.parse(text) as Record<string, unknown>) : {};
  return { status: response.status, headers: response.headers, body, text };
}
