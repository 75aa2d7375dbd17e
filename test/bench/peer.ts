import { requestText } from '../http-pool.ts';
import { type Program, startProgram } from './program.ts';
import type { PeerJob } from './program-peer.ts';

/** The resources that tokens of the peer can be asked for: by algorithm, and one whose tokens are opaque. */
export const RESOURCES = {
  RS256: 'https://rs256.example.com',
  ES256: 'https://es256.example.com',
  opaque: 'https://opaque.example.com',
} as const;

/** The peer's one client, which may also introspect. */
export const CLIENT = { id: 'bench', secret: 'bench-secret-of-thirty-two-bytes' } as const;

/** oidc-provider in a process of its own. */
export type Peer = AsyncDisposable & {
  pid: number;
  port: number;
  tokenRequest(kind: keyof typeof RESOURCES): string;
  introspectionRequest(token: string): string;
};

/** Starts oidc-provider with its records in this Redis. */
export async function startPeer(redis: PeerJob): Promise<Peer> {
  const program: Program = startProgram('./program-peer.ts');
  const { port } = await program.ask<{ port: number }>(redis);
  const headers = {
    authorization: `Basic ${Buffer.from(`${CLIENT.id}:${CLIENT.secret}`).toString('base64')}`,
    'content-type': 'application/x-www-form-urlencoded',
  };
  const post = (path: string, body: Record<string, string>) =>
    requestText(port, `POST ${path}`, headers, new URLSearchParams(body).toString());
  return {
    ...{ pid: program.pid, port },
    tokenRequest: (kind) =>
      post('/token', { grant_type: 'client_credentials', scope: 'api', resource: RESOURCES[kind] }),
    introspectionRequest: (token) => post('/token/introspection', { token }),
    [Symbol.asyncDispose]: () => program[Symbol.asyncDispose](),
  };
}
