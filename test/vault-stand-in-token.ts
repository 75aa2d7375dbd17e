import { randomBytes } from 'node:crypto';
import type { Role, Token } from './vault-stand-in-state.ts';

/** The longest lease of a Vault that is not told otherwise: 32 days. */
const SYSTEM_SECONDS = 2_764_800;

/** Makes the token of a login: it lives as its role says, and no renewal takes it beyond the role's end. */
export function makeToken(namespace: string, role: Role, metadata: Record<string, string>): Token {
  const now = Date.now();
  const explicit = seconds(role.token_explicit_max_ttl);
  const period = seconds(role.token_period);
  // A period is renewed without end, but for an explicit one.
  const ends = [explicit, ...(period > 0 ? [] : [seconds(role.token_max_ttl), SYSTEM_SECONDS])];
  const token: Token = {
    ...{ namespace, metadata, renewals: 0, isRenewable: true, expiresAt: now },
    wantedSeconds: period || seconds(role.token_ttl) || SYSTEM_SECONDS,
    endsAt: now + 1000 * Math.min(...ends.filter((end) => end > 0)),
    leaseSeconds: 0,
    token: `s.${randomBytes(18).toString('base64url')}`,
    accessor: randomBytes(18).toString('base64url'),
    policies: ['default', ...(role.token_policies ?? [])].toSorted(),
  };
  extend(token, now);
  return token;
}

/** Gives a token a new lease from now on (ms), in whole seconds but never beyond its end. */
export function extend(token: Token, now: number): void {
  const { wantedSeconds, endsAt } = token;
  token.expiresAt = Math.min(now + wantedSeconds * 1000, endsAt);
  token.leaseSeconds = Math.floor((token.expiresAt - now) / 1000);
}

function seconds(value: number | string | undefined): number {
  return Number(String(value ?? 0).replace(/s$/, '')) || 0;
}
