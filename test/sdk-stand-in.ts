import { once } from 'node:events';
import { createServer as createHttpServer, type IncomingMessage, type RequestListener } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { createRemoteJWKSet, type JWTPayload, jwtVerify } from 'jose';

/** How a cloud is asked, and what it answers. */
export type Cloud = {
  name: string;
  /** Only with this audience a token is good. */
  audience: string;
  tls?: { key: string; cert: string };
  /** Finds the token in the body of a request; undefined where there is none. */
  tokenIn(body: string): string | undefined;
  answer(body: string): { type: string; body: string };
  /** Answers what is asked before a token is shown. */
  before?: (path: string, url: string) => object | undefined;
};

/** What stands in for a cloud: an endpoint of this machine that takes ID tokens as the cloud's does. */
export type StandIn = AsyncDisposable & {
  url: string;
  /** The claims of each token that was shown and found good, oldest first. */
  shown: JWTPayload[];
};

/** Starts a stand-in that verifies by what the issuer's own discovery document says, and by nothing else. */
export async function startStandIn(cloud: Cloud, issuer: string): Promise<StandIn> {
  const keys = await discoveredKeys(issuer);
  const { name, audience } = cloud;
  const shown: JWTPayload[] = [];
  const listener: RequestListener = (request, response) => {
    answer(request).then(
      ({ status = 200, type, body }) => response.writeHead(status, { 'content-type': type }).end(body),
      () => response.writeHead(400, { 'content-type': JSON_TYPE }).end('{"error":"invalid_grant"}'),
    );
  };
  const server = cloud.tls ? createHttpsServer(cloud.tls, listener) : createHttpServer(listener);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const url = `${cloud.tls ? 'https' : 'http'}://localhost:${port}`;

  async function answer(request: IncomingMessage): Promise<{ status?: number; type: string; body: string }> {
    const early = cloud.before?.(request.url ?? '', url);
    if (early) return { type: JSON_TYPE, body: JSON.stringify(early) };
    const body = await text(request);
    const token = cloud.tokenIn(body);
    if (token === undefined) return { status: 404, type: JSON_TYPE, body: '{}' };
    const { payload } = await jwtVerify(token, keys, { issuer, audience, typ: 'JWT', algorithms: ['RS256'] });
    shown.push(payload);
    console.log(`${name} (a stand-in at ${url}) took ${payload.jti} by the keys of ${issuer}`);
    return cloud.answer(body);
  }

  return {
    ...{ url, shown },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

const JSON_TYPE = 'application/json';

async function discoveredKeys(issuer: string) {
  const answer = await fetch(`${issuer}/.well-known/openid-configuration`);
  const document = (await answer.json()) as { issuer: string; jwks_uri: string };
  if (document.issuer !== issuer) throw new Error('discovery names another issuer');
  return createRemoteJWKSet(new URL(document.jwks_uri));
}
