import { randomBytes, timingSafeEqual } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { readRequestToken } from '@mayfly/contracts/build-reference';
import { withOneQuery } from '@mayfly/contracts/request-url';
import type { Grant } from './grant.ts';

/** Where a step asks for further tokens, and with what. */
export type RequestAddress = Pick<Grant, 'requestUrl' | 'requestToken'>;

type Relaying = {
  grant: RequestAddress;
  /** Has a token masked from now on; throws where that cannot be promised. */
  mask(token: string): void;
  warn(line: string): void;
};

/** What the issuer said, or what is said in its place. */
type Answer = { status: number; body: string; retryAfter?: string | undefined };

const MAX_BYTES = 64 * 1024;
const ANSWER_WITHIN_MS = 10_000;
const TOKEN = /[\w-]{8,}\.[\w-]{8,}\.[\w-]{8,}/g;

/**
 * Starts a way to the issuer for one step, on this machine only: each token is masked before the step gets it, and the
 * request token of the grant stays with us. It ends with `resources`.
 */
export async function startRelay(
  relaying: Relaying,
  resources: AsyncDisposableStack,
): Promise<RequestAddress> {
  const { grant } = relaying;
  const requestToken = standInFor(grant.requestToken);
  const server = createServer((request, response) => {
    relay(request, relaying, requestToken).then(
      (answer) => send(response, answer),
      () => send(response, failed(503, 'temporarily_unavailable', 'the issuer cannot be reached', '1')),
    );
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  resources.defer(() => {
    server.close();
    server.closeAllConnections();
  });
  const { port } = server.address() as AddressInfo;
  const { pathname, search } = new URL(grant.requestUrl);
  return { requestUrl: `http://127.0.0.1:${port}${pathname}${search}`, requestToken };
}

/** Of the form of the real one, for it names the build; but nobody except the relay takes it. */
function standInFor(requestToken: string): string {
  const secret = randomBytes(32).toString('base64url');
  const [form = ''] = readRequestToken(requestToken) ? requestToken.split(/(?<=^mfr_.*_)(?=.{43}$)/) : [];
  return `${form || 'mfx_'}${secret}`;
}

async function relay(
  request: IncomingMessage,
  { grant, mask, warn }: Relaying,
  requestToken: string,
): Promise<Answer> {
  const target = targetOf(request, grant.requestUrl);
  if (!target) return failed(404, 'invalid_request', 'only tokens can be asked for here');
  // The scheme in any case, RFC 9110 §11.1: some clients of GitHub's variables say `bearer`.
  const [, shown = ''] = /^bearer +(\S+)$/i.exec(request.headers.authorization ?? '') ?? [];
  if (!isSame(shown, requestToken)) {
    return failed(401, 'invalid_token', 'the request token is not the one of this step');
  }
  const answer = await askIssuer(request, target, grant);
  const tokens = answer.body.match(TOKEN) ?? [];
  const isForToken = request.url?.split('?')[0] === new URL(grant.requestUrl).pathname;
  if (isForToken && answer.status < 300 && tokens.length === 0) {
    return failed(502, 'server_error', 'what answers in place of the issuer gives no token');
  }
  try {
    for (const token of tokens) mask(token);
  } catch {
    const told = 'the token cannot be masked, so it is not handed out';
    warn(`a token that the command asked for cannot be masked: it was not handed out`);
    return failed(500, 'server_error', told);
  }
  return answer;
}

/** Tokens and the report of a leak; the step says with which audience and so on. */
function targetOf({ method = '', url = '' }: IncomingMessage, requestUrl: string): URL | undefined {
  const target = new URL(requestUrl);
  const asked = new URL(withOneQuery(url), 'http://relay.invalid');
  const leak = target.pathname.replace(/[^/]*$/, 'leak');
  const isToken = asked.pathname === target.pathname && (method === 'GET' || method === 'POST');
  if (!isToken && !(asked.pathname === leak && method === 'POST')) return undefined;
  target.pathname = asked.pathname;
  target.search = asked.search;
  return target;
}

async function askIssuer(request: IncomingMessage, target: URL, grant: RequestAddress): Promise<Answer> {
  const { method = 'GET' } = request;
  const type = request.headers['content-type'];
  const answer = await fetch(target, {
    method,
    headers: { authorization: `Bearer ${grant.requestToken}`, ...(type ? { 'content-type': type } : {}) },
    ...(method === 'POST' ? { body: await readAll(request) } : {}),
    // It would carry the request token to somebody else.
    redirect: 'error',
    signal: AbortSignal.timeout(ANSWER_WITHIN_MS),
  });
  const body = await readAll(answer.body ?? []);
  return { status: answer.status, body, retryAfter: answer.headers.get('retry-after') ?? undefined };
}

async function readAll(source: AsyncIterable<Uint8Array> | Iterable<Uint8Array>): Promise<string> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of source) {
    size += chunk.length;
    if (size > MAX_BYTES) throw new RangeError('too long');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}

function failed(status: number, error: string, error_description: string, retryAfter?: string): Answer {
  return { status, body: JSON.stringify({ error, error_description }), retryAfter };
}

function send(response: ServerResponse, { status, body, retryAfter }: Answer): void {
  const headers = { 'content-type': 'application/json; charset=utf-8', 'cache-control': 'no-store' };
  response.writeHead(status, { ...headers, ...(retryAfter ? { 'retry-after': retryAfter } : {}) }).end(body);
}

function isSame(shown: string, wanted: string): boolean {
  const [one, other] = [Buffer.from(shown), Buffer.from(wanted)];
  return one.length === other.length && timingSafeEqual(one, other);
}
