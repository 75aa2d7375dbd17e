import type { TokenRequest } from './issuer.ts';
import { textOf, textsOf, type VarSource, wrong } from './var-source.ts';

/** What an `idtoken` source asks for, and the algorithm that its token must have been signed with. */
export type IdTokenWish = { request: TokenRequest; algorithm: string | undefined };

const SCOPES = ['team', 'pipeline', 'instance', 'job'];
const ALGORITHMS = ['RS256', 'ES256'];
const SECONDS: Readonly<Record<string, number>> = {
  h: 3600,
  m: 60,
  s: 1,
  ms: 0.001,
  us: 1e-6,
  µs: 1e-6,
  ns: 1e-9,
};

/** Reads the config of an `idtoken` source. */
export function readIdToken(source: VarSource): IdTokenWish {
  const expiresIn = textOf(source, 'expires_in');
  return {
    algorithm: oneOf(source, 'algorithm', ALGORITHMS),
    request: {
      audiences: textsOf(source, 'audience') ?? [],
      subjectClaim: oneOf(source, 'subject_scope', SCOPES),
      lifetimeSeconds: expiresIn === undefined ? undefined : secondsOf(expiresIn, source.name),
    },
  };
}

/** Takes a token and what was wished; throws where it is signed otherwise, for policy decides by audience. */
export function checkAlgorithm(token: string, algorithm: string | undefined, name: string): void {
  if (algorithm === undefined) return;
  const { alg } = JSON.parse(Buffer.from(token.split('.')[0] ?? '', 'base64url').toString()) as {
    alg?: string;
  };
  if (alg === algorithm) return;
  throw wrong(
    `the var_source ${name} asks for ${algorithm} and the issuer signs this audience with ${alg}: set algorithms in mayfly.yaml`,
  );
}

function oneOf(source: VarSource, key: string, allowed: string[]): string | undefined {
  const value = textOf(source, key);
  if (value === undefined || allowed.includes(value)) return value;
  throw wrong(`${key} of the var_source ${source.name} should be one of ${allowed.join(', ')}`);
}

/** Takes a duration as Go writes it (`1h30m`, `1.5h`); gives whole seconds. */
function secondsOf(text: string, name: string): number {
  const parts = [...text.matchAll(/(\d+(?:\.\d+)?|\.\d+)(h|ms|m|s|us|µs|ns)/g)];
  const seconds = parts.reduce((sum, [, count, unit]) => sum + Number(count) * (SECONDS[unit ?? ''] ?? 0), 0);
  if (parts.map(([whole]) => whole).join('') !== text || seconds < 1)
    throw wrong(`expires_in of the var_source ${name} should be a duration such as 15m or 1h30m`);
  return Math.floor(seconds);
}
