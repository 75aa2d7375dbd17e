import type { BuildWriter } from '@mayfly/build-store/writer';
import type { Logger } from 'pino';
import { every } from './every.ts';

type Forgetting = {
  writer: Pick<BuildWriter, 'forget'>;
  retentionMs: number;
  /** Says whether the projection is proven fresh: only then is it looked at. */
  isFresh(): boolean;
};

const EVERY_MS = 500;
/** Where this part of what was seen is too old, the next look is at once: so little more than this is ever kept too long. */
const LOOK_ON = 0.1;

/** Forgets builds that ended longer ago than they are remembered, some at a time and round again, until the process stops. */
export function forgetBuilds(
  { writer, retentionMs, isFresh }: Forgetting,
  resources: AsyncDisposableStack,
  log: Logger,
): void {
  let cursor = '0';
  const look = async () => {
    while (isFresh()) {
      const { cursor: next, seen, forgotten } = await writer.forget(cursor, retentionMs);
      cursor = next;
      if (forgotten === 0 || forgotten < seen * LOOK_ON) return;
    }
  };
  every(EVERY_MS, look, resources, (error) => log.warn({ err: error }, 'old builds cannot be forgotten'));
}
