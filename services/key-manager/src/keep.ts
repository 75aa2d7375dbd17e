import type { Logger } from 'pino';
import { ALGORITHMS, activeKey, type Keyring, publicKeySet } from './keyring.ts';
import { keepKeyring, restoreKeyring, type Shared } from './keyrings.ts';
import type { KeyStore } from './store.ts';
import type { Views } from './views.ts';

/** How often the leader is asked whether keyrings changed, and how often they are looked at for what is due. */
const CONFIRM_EVERY_MS = 200;
const KEEP_EVERY_MS = 30_000;
const TRY_AGAIN_MS = 500;
/** Whoever's clock is off by more makes no changes. */
const MAX_CLOCK_ERROR_MS = 60_000;
/** How long a key that was never published before is published before it signs, so that every key set has it. */
const SETTLE_MS = 250;

type Keeping = {
  shared: Shared;
  views: Pick<Views, 'confirm' | 'wentBack'>;
  sources: readonly string[];
  log: Logger;
};

/** Keeps the views confirmed and the keyrings up to date, until the process stops. */
export function keepAll({ shared, views, sources, log }: Keeping, resources: AsyncDisposableStack): void {
  const confirm = async () => {
    const stored = await views.confirm();
    // By the leader's clock: whoever's own is wrong changes nothing else.
    const byLeader = { ...shared, now: () => stored.time };
    for (const source of views.wentBack()) {
      await restoreKeyring(source, byLeader).catch((error: unknown) =>
        log.error({ err: error, source }, 'the newer keyring cannot be written again'),
      );
    }
    return stored;
  };
  const keep = async () => {
    const { time } = await confirm();
    await keepEach(sources, time, shared);
  };
  const loops = [
    loop(confirm, CONFIRM_EVERY_MS, CONFIRM_EVERY_MS, log, 'the keyrings cannot be confirmed'),
    loop(keep, KEEP_EVERY_MS, TRY_AGAIN_MS, log, 'the keyrings cannot be kept'),
  ];
  resources.defer(async () => {
    await Promise.all(loops.map((stop) => stop()));
  });
}

/**
 * Does what is due to the keyring of each source; `time` is what the leader's clock says. Throws where the clock here is
 * wrong, and, after all the others are done, where one keyring cannot be kept.
 */
export async function keepEach(sources: readonly string[], time: number, shared: Shared): Promise<void> {
  // A clock that is ahead would have keys gone whose tokens are still good.
  if (!(Math.abs(shared.now() - time) <= MAX_CLOCK_ERROR_MS)) throw new Error('the clock here is wrong');
  const failures: unknown[] = [];
  for (const source of sources)
    await keepKeyring(source, shared).catch((error: unknown) => void failures.push(error));
  if (failures.length > 0) throw failures[0];
}

/**
 * Makes the active keys of a keyring fit to sign with. One that was never a standby is published first, and waits until
 * relying parties find it: one that asks for an unknown `kid` and is told nothing asks no more for a while.
 */
export async function makeFit(
  keyring: Keyring,
  store: Pick<KeyStore, 'publish'>,
  now: () => number,
): Promise<void> {
  const begun = ALGORITHMS.flatMap((alg) => activeKey(keyring, alg) ?? []).filter(
    ({ activatedAt, preparedAt }) => activatedAt === preparedAt,
  );
  if (begun.length === 0) return;
  const isPublished = begun.every(({ publishedAt }) => publishedAt !== undefined);
  if (!isPublished) await store.publish(publicKeySet(keyring));
  const since = isPublished ? Math.max(...begun.map(({ publishedAt = 0 }) => publishedAt)) : now();
  const rest = Math.min(SETTLE_MS, since + SETTLE_MS - now());
  if (rest > 0) await new Promise((resolve) => setTimeout(resolve, rest));
}

/**
 * Acts again and again, `every` ms after the last time, or sooner after a failure; gives what stops it. Replicas act at
 * different moments, so that they seldom want the same change.
 */
function loop(
  act: () => Promise<unknown>,
  every: number,
  afterFailure: number,
  log: Logger,
  complaint: string,
): () => Promise<void> {
  let isStopped = false;
  let failures = 0;
  let timer: NodeJS.Timeout | undefined;
  const turn = async (): Promise<void> => {
    try {
      await act();
      failures = 0;
    } catch (error) {
      if (failures++ % 50 === 0 && !isStopped) log.warn({ err: error }, complaint);
    }
    if (!isStopped)
      timer = setTimeout(next, (failures > 0 ? afterFailure : every) * (0.5 + Math.random() / 2));
  };
  let turning = turn();
  const next = () => {
    turning = turn();
  };
  return async () => {
    isStopped = true;
    clearTimeout(timer);
    await turning;
  };
}
