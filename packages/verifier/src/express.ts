import type { IncomingMessage, ServerResponse } from 'node:http';
import { admit } from './bearer.ts';
import type { IdToken } from './claims.ts';
import type { Verifier } from './index.ts';

/** A request that was let in, and the token that it showed. */
export type AdmittedRequest = IncomingMessage & { idToken?: IdToken };

/**
 * Gives an Express middleware that lets in only requests with a good bearer token, and puts what it says into
 * `request.idToken`.
 *
 * @example
 * app.use(requireIdToken(verifier));
 * app.get('/deploy', (request, response) => response.send(`hello ${request.idToken.sub}`));
 */
export function requireIdToken(verifier: Verifier) {
  return (request: AdmittedRequest, response: ServerResponse, next: (error?: unknown) => void): void => {
    admit(request.rawHeaders, verifier)
      .then((admission) => {
        if ('idToken' in admission) {
          request.idToken = admission.idToken;
          next();
          return;
        }
        const headers = { ...admission.headers, 'content-type': 'application/json' };
        response.writeHead(admission.status, headers).end(JSON.stringify(admission.body));
      })
      .catch(next);
  };
}
