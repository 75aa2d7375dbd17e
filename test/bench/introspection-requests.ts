import { requestText } from '../http-pool.ts';
import { basic } from '../introspect-callers.ts';
import type { Algorithm, BenchSystem } from './bench-system.ts';

/** Which relying party of the default policy the tokens of an algorithm are for. */
const PARTIES = { RS256: 'aws', ES256: 'api' } as const;

/** Gives the request with which the relying party of these tokens asks about one of them. */
export function introspectionRequest(
  { system, port, ci }: BenchSystem,
  alg: Algorithm,
  token: string,
  at = 'jwks-publisher',
): string {
  const headers = {
    authorization: basic(system, PARTIES[alg]),
    'content-type': 'application/x-www-form-urlencoded',
  };
  return requestText(port(at), `POST /${ci.source}/introspect`, headers, `token=${token}`);
}
