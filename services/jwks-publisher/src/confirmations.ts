import type { Logger } from 'pino';
import type { KeySets } from './key-sets.ts';

/** Looks after the key sets that nobody confirms any more. */
export type Confirmations = {
  /** Looks once: says in the log of which source the key set is not confirmed, once, and when it is again. */
  look(): void;
  /** How many sources have a key set that is not confirmed now. */
  unconfirmed(): number;
};

/** After a start key sets have so long to come, ms. */
const START_MS = 5000;

/**
 * Takes the sources, their key sets, a log and a clock (ms). While a key set is not confirmed its tokens are not judged: whoever
 * runs this has to hear of it, for the key set itself is served as ever and may hold a key that is revoked.
 */
export function confirmations(
  sources: readonly string[],
  sets: Pick<KeySets, 'isConfirmed'>,
  log: Pick<Logger, 'warn' | 'info'>,
  now: () => number,
): Confirmations {
  const began = now();
  const told = new Set<string>();
  const open = () => sources.filter((source) => !sets.isConfirmed(source));
  return {
    look() {
      const unconfirmed = new Set(open());
      for (const source of told) {
        if (unconfirmed.has(source)) continue;
        told.delete(source);
        log.info({ source }, 'key set confirmed again');
      }
      if (now() - began < START_MS) return;
      for (const source of unconfirmed) {
        if (told.has(source)) continue;
        told.add(source);
        log.warn(
          { source },
          'key set not confirmed: its tokens are not judged, and a key that is revoked is still served',
        );
      }
    },
    unconfirmed: () => open().length,
  };
}
