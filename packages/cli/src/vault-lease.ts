import { setTimeout as delay } from 'node:timers/promises';
import { CommandError } from './exit-codes.ts';
import { vaultRefusal } from './vault-refusal.ts';
import type { Vault } from './vault-request.ts';

/** The lease of a Vault token; 0 seconds for one that cannot be renewed. */
export type Lease = {
  seconds: number;
  token: string;
  vault: Vault;
  warn(line: string): void;
  signal: AbortSignal;
};

/** A lease is renewed when this much of it is over. */
const RENEWED_AFTER = 0.5;
const AGAIN_AFTER_MS = 1_000;

/** Renews a lease at half of its time until the signal; says so where Vault does not, and gives up where it will not. */
export async function keepLease(lease: Lease): Promise<void> {
  let waitMs: number | undefined = lease.seconds * 1000 * RENEWED_AFTER;
  while (waitMs && (await waited(waitMs, lease.signal))) {
    waitMs = await renew(lease).catch((error: unknown) => told(error, lease));
  }
}

/** Renews once; gives how long until the next time, ms. */
async function renew({ token, vault }: Lease): Promise<number> {
  const answer = await vault.ask({ path: 'auth/token/renew-self', method: 'POST', token, body: {} });
  if (answer.status !== 200) {
    const { origin } = vault;
    throw vaultRefusal({ origin, doing: 'to renew its token', answer, secrets: [token] });
  }
  const auth = answer.body?.['auth'] as Record<string, unknown> | null | undefined;
  return Number(auth?.['lease_duration'] ?? 0) * 1000 * RENEWED_AFTER;
}

function told(error: unknown, { signal, warn }: Lease): number | undefined {
  if (signal.aborted) return undefined;
  const known = error instanceof CommandError ? error : undefined;
  warn(`the Vault lease could not be renewed: ${known?.message ?? 'unknown error'}`);
  return known?.failure === 'unreachable' ? AGAIN_AFTER_MS : undefined;
}

async function waited(ms: number, signal: AbortSignal): Promise<boolean> {
  return await delay(ms, true, { signal, ref: false }).catch(() => false);
}
