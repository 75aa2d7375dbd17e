import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { testRequestToken, testToken } from './testing.ts';

/** An HTTP server that stands in for the issuer in tests: it answers as the issuer does, and decides nothing. */
export type StandInIssuer = AsyncDisposable & {
  requestUrl: string;
  requestToken: string;
  /** Every token that it gave, oldest first. */
  given: string[];
  /** Every question that it was asked. */
  asked: URL[];
  /** The reason of every leak that was reported. */
  leaks: string[];
  /** What tests change while it runs. */
  state: {
    isFinished: boolean;
    refusesNext: number;
    lifetimeSeconds: number;
    forbiddenAudience: string;
    /** In place of a token. */
    answers?: object;
  };
  /** A grant with a token for each of these variables. */
  grant(audiences?: Record<string, string>, deadline?: number): Record<string, unknown>;
};

/** Starts a stand-in on a free port of this machine. */
export async function startStandInIssuer(): Promise<StandInIssuer> {
  const server = createServer((request, response) => {
    answer(issuer, request, response).catch((error: Error) => response.destroy(error));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const issuer: StandInIssuer = {
    requestUrl: `http://127.0.0.1:${port}/token?api-version=1`,
    requestToken: testRequestToken(),
    given: [],
    asked: [],
    leaks: [],
    state: { isFinished: false, refusesNext: 0, lifetimeSeconds: 300, forbiddenAudience: 'forbidden' },
    grant: (audiences = {}, deadline = now() + 3600) => grantOf(issuer, audiences, deadline),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
  return issuer;
}

const now = () => Math.floor(Date.now() / 1000);

function give(issuer: StandInIssuer, audience: string): { token: string; expires_at: number } {
  const expires_at = now() + issuer.state.lifetimeSeconds;
  const token = testToken({ aud: audience, iat: now(), exp: expires_at });
  issuer.given.push(token);
  return { token, expires_at };
}

function grantOf(issuer: StandInIssuer, audiences: Record<string, string>, deadline: number) {
  const id_tokens = Object.fromEntries(
    Object.entries(audiences).map(([name, audience]) => [name, give(issuer, audience).token]),
  );
  return {
    specversion: '1.0',
    id: 'a1b2',
    source: 'ci',
    type: 'dev.mayfly.tokens.granted',
    time: new Date().toISOString(),
    data: {
      id: '42',
      attempt: 1,
      id_tokens,
      expires_at: now() + issuer.state.lifetimeSeconds,
      id_token_request_url: issuer.requestUrl,
      id_token_request_token: issuer.requestToken,
      deadline,
    },
  };
}

async function answer(
  issuer: StandInIssuer,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const send = (status: number, body: object, headers = {}) =>
    response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body));
  const body = await text(request);
  const url = new URL(request.url ?? '', issuer.requestUrl);
  issuer.asked.push(url);
  if (issuer.state.refusesNext > 0) {
    issuer.state.refusesNext -= 1;
    return void send(503, { error: 'temporarily_unavailable' }, { 'retry-after': '0' });
  }
  const isAuthorized = request.headers.authorization === `Bearer ${issuer.requestToken}`;
  if (!isAuthorized || issuer.state.isFinished) {
    const error_description = 'the request token names no running build';
    return void send(401, { error: 'invalid_token', error_description });
  }
  if (url.pathname === '/leak' && request.method === 'POST') {
    issuer.leaks.push((JSON.parse(body) as { reason: string }).reason);
    issuer.state.isFinished = true;
    return void send(200, {});
  }
  const audience = url.searchParams.get('audience') ?? '';
  if (audience === issuer.state.forbiddenAudience) {
    return void send(400, { error: 'invalid_target', error_description: 'audience is not allowed' });
  }
  if (issuer.state.answers) return void send(200, issuer.state.answers);
  const { token, expires_at } = give(issuer, audience);
  send(200, { value: token, token, expires_at });
}
