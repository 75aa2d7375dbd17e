import { setTimeout as delay } from 'node:timers/promises';
import { CommandError } from './exit-codes.ts';
import { backOff } from './patience.ts';
import { vaultRefusal } from './vault-refusal.ts';
import type { Vault } from './vault-request.ts';

/** The lease of a Vault token; 0 seconds for one that cannot be renewed. */
export type Lease = {
  seconds: number;
  token: string;
  vault: Vault;
  warn(line: string): void;
  signal: AbortSignal;
  /** Hears for how long the token lives from now on, ms. */
  renewed(forMs: number): void;
};

/** A lease is renewed when this much of it is over. */
const RENEWED_AFTER = 0.5;
/** A timer of Node's that is longer than 24 days ends at once. */
const LONGEST_WAIT_MS = 86_400_000;

/**
 * Renews a lease at half of its time, or after a day, until the signal; says once in a row of failures that Vault does not,
 * and gives up where it will not.
 */
export async function keepLease(lease: Lease): Promise<void> {
  let failures = 0;
  let waitMs: number | undefined = lease.seconds * 1000 * RENEWED_AFTER;
  while (waitMs && (await waited(waitMs, lease.signal))) {
    try {
      waitMs = await renew(lease);
      failures = 0;
    } catch (error) {
      failures += 1;
      waitMs = isAway(error, failures, lease) ? backOff(failures, Math.random()) : undefined;
    }
  }
}

/** Renews once; gives how long until the next time, ms. */
async function renew({ token, vault, renewed }: Lease): Promise<number> {
  const answer = await vault.ask({ path: 'auth/token/renew-self', method: 'POST', token, body: {} });
  if (answer.status !== 200) {
    const { origin } = vault;
    throw vaultRefusal({ origin, doing: 'to renew its token', answer, secrets: [token] });
  }
  const auth = answer.body?.['auth'] as Record<string, unknown> | null | undefined;
  const forMs = Number(auth?.['lease_duration'] ?? 0) * 1000;
  renewed(forMs);
  return forMs * RENEWED_AFTER;
}

/** Says whether it is worth another try. */
function isAway(error: unknown, failures: number, { signal, warn }: Lease): boolean {
  if (signal.aborted) return false;
  const known = error instanceof CommandError ? error : undefined;
  const isPassing = known?.failure === 'unreachable';
  if (!isPassing || failures === 1)
    warn(`the Vault lease could not be renewed: ${known?.message ?? 'unknown error'}`);
  return isPassing;
}

async function waited(ms: number, signal: AbortSignal): Promise<boolean> {
  return await delay(Math.min(ms, LONGEST_WAIT_MS), true, { signal, ref: false }).catch(() => false);
}
