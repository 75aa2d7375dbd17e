import { Agent, request } from 'node:http';
import { type Ci, connectCi } from '../ci.ts';
import { basic, startedToken } from '../introspect-callers.ts';
import { type TestSystem, testSystem } from '../system.ts';

/** One request: what is asked, and from which address of this machine. */
export type Ask = {
  url: string;
  method?: string;
  headers?: Record<string, string>;
  body?: string;
  localAddress?: string;
};

/** A system with a CI and relying parties, of which jwks-publisher is measured. */
export type Rig = AsyncDisposable & {
  system: TestSystem;
  ci: Ci;
  publisher: string;
  ask(what: Ask): Promise<{ status: number; ms: number }>;
  question(token: string, party?: string): Ask;
  /** Starts so many builds; gives the token of each. */
  liveTokens(name: string, count: number): Promise<string[]>;
};

export async function publisherRig(): Promise<Rig> {
  const system = await testSystem({ replicas: 1 });
  const ci = await connectCi(system);
  const agent = new Agent({ keepAlive: true, maxSockets: 64 });
  const publisher = system.urlOf('jwks-publisher');
  return {
    ...{ system, ci, publisher },
    ask: (what) => send(agent, what),
    question: (token, party = 'api') => ({
      url: `${publisher}/acme/introspect`,
      method: 'POST',
      headers: { authorization: basic(system, party), 'content-type': 'application/x-www-form-urlencoded' },
      body: `token=${token}`,
    }),
    liveTokens: (name, count) =>
      Promise.all(Array.from({ length: count }, (_, index) => startedToken(ci, { id: `${name}-${index}` }))),
    async [Symbol.asyncDispose]() {
      agent.destroy();
      await ci[Symbol.asyncDispose]();
      await system[Symbol.asyncDispose]();
    },
  };
}

/** Sends a request over a kept connection; gives the status of the answer, and how long it took. */
export function send(agent: Agent, what: Ask): Promise<{ status: number; ms: number }> {
  const { url, method = 'GET', headers = {}, body, localAddress } = what;
  const options = { agent, method, headers, ...(localAddress ? { localAddress } : {}) };
  const started = performance.now();
  return new Promise((resolve, reject) => {
    const asking = request(url, options, (response) => {
      response.resume();
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, ms: performance.now() - started }),
      );
    });
    asking.on('error', reject);
    asking.end(body);
  });
}
