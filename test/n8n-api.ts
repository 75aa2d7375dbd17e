import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { issuerUrl } from '@mayfly/contracts/issuer-url';
import { createRemoteJWKSet, type JWTPayload, jwtVerify } from 'jose';
import { knownActive } from './relying-party.ts';
import type { TestSystem } from './system.ts';

/** A call as the API saw it. */
export type ApiCall = { token: string; execution: unknown; active: boolean };

/** An API that verifies its caller's token and asks whether the run is still going; it says back what it was sent. */
export type TestApi = AsyncDisposable & {
  url: string;
  calls: ApiCall[];
  verify(token: string): Promise<JWTPayload>;
  isActive(token: string): Promise<boolean>;
};

/** Starts the API on a free port, for tokens of the source `n8n` that are meant for `audience`. */
export async function startApi(system: TestSystem, audience: string): Promise<TestApi> {
  const issuer = issuerUrl(system.baseUrl, 'n8n');
  const keySet = createRemoteJWKSet(new URL(`${issuer}/jwks`));
  const calls: ApiCall[] = [];
  const verify = async (token: string) => (await jwtVerify(token, keySet, { issuer, audience })).payload;
  const asked = (token: string) => knownActive(system, token, { source: 'n8n' });
  const answer = async (request: IncomingMessage, response: ServerResponse) => {
    const token = request.headers.authorization?.replace('Bearer ', '') ?? '';
    const { execution_id: execution } = await verify(token);
    const active = await asked(token);
    calls.push({ token, execution, active });
    response.writeHead(active ? 200 : 401, { 'content-type': 'application/json' });
    response.end(JSON.stringify({ execution, sent: token }));
  };
  const server = createServer((request, response) => {
    answer(request, response).catch((error: Error) => response.destroy(error));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    ...{ calls, verify, isActive: asked },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}
