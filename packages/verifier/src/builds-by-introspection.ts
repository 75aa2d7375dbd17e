import type { Builds, BuildsContext } from './builds.ts';

/** What a relying party proves itself with. `oneTime` uses each token up. */
export type Credentials = { name: string; secret: string; oneTime?: boolean };

const TIMEOUT_MS = 1000;

/** Asks the issuer about each token (RFC 7662). */
export function buildsByIntrospection(
  { name, secret, oneTime = false }: Credentials,
  { issuer, fetch }: BuildsContext,
): Builds {
  const pair = [name, secret].map(encodeURIComponent).join(':');
  const headers = {
    authorization: `Basic ${Buffer.from(pair).toString('base64')}`,
    accept: 'application/json',
  };
  return async (token) => {
    try {
      const response = await fetch(`${issuer}/introspect`, {
        method: 'POST',
        headers,
        redirect: 'manual',
        body: new URLSearchParams({ token, ...(oneTime ? { one_time: 'true' } : {}) }),
        signal: AbortSignal.timeout(TIMEOUT_MS),
      });
      const { active } = (await response.json()) as { active?: unknown };
      if (response.status !== 200 || typeof active !== 'boolean') return 'unknown';
      return active ? 'running' : 'over';
    } catch {
      return 'unknown';
    }
  };
}
