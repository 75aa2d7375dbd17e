import { admit } from './bearer.ts';
import type { IdToken } from './claims.ts';
import type { Verifier } from './index.ts';

type Request = { raw: { rawHeaders: string[] }; idToken?: IdToken };
type Reply = {
  code(status: number): Reply;
  headers(headers: Record<string, string>): Reply;
  send(body: unknown): unknown;
};
type Instance = {
  decorateRequest(name: string): unknown;
  addHook(name: 'onRequest', hook: (request: Request, reply: Reply) => Promise<unknown>): unknown;
};

/**
 * Gives a Fastify plugin that lets in only requests with a good bearer token, and puts what it says into
 * `request.idToken`. It holds for the scope that it is registered in.
 *
 * @example
 * app.register(requireIdToken(verifier));
 * app.get('/deploy', async (request) => `hello ${request.idToken.sub}`);
 */
export function requireIdToken(verifier: Verifier) {
  const plugin = (instance: Instance, _options: unknown, done: () => void) => {
    instance.decorateRequest('idToken');
    instance.addHook('onRequest', async (request, reply) => {
      const admission = await admit(request.raw.rawHeaders, verifier);
      if (!('idToken' in admission)) {
        return reply.code(admission.status).headers(admission.headers).send(admission.body);
      }
      request.idToken = admission.idToken;
      return undefined;
    });
    done();
  };
  // Fastify's own way to say that a plugin is for the scope around it.
  return Object.assign(plugin, { [Symbol.for('skip-override')]: true }) as never;
}
