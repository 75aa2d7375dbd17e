import { BUCKETS, EVENT_NAMES } from '@mayfly/contracts/bus';
import { checkPublishedKeySet, type PublishedKeySet } from '@mayfly/contracts/keys';
import type { Bus } from '@mayfly/service-kit/bus';
import type { Logger } from 'pino';
import { lastByLeader } from './leader-read.ts';

const REFRESH_MS = 1000;

/**
 * Follows the key set of every source until the process stops: hears each change, and asks for all of them every
 * second, so that a change that was not heard is not missed and that an unchanged one is known to hold still.
 */
export function followKeySets(
  { nats, isConnected }: Bus,
  sources: readonly string[],
  accept: (keySet: PublishedKeySet) => void,
  resources: AsyncDisposableStack,
  log: Logger,
): void {
  const complain = (source: string, error: unknown) => log.debug({ err: error, source }, 'key set not read');
  const take = (source: string, body: Uint8Array) => {
    try {
      const keySet: unknown = JSON.parse(new TextDecoder().decode(body));
      if (checkPublishedKeySet.is(keySet) && keySet.source === source) accept(keySet);
      else log.warn({ source }, 'key set is not one of ours');
    } catch (error) {
      complain(source, error);
    }
  };
  for (const source of sources) {
    nats.subscribe(EVENT_NAMES.keySetChanged(source), {
      callback: (error, message) => {
        if (!error) take(source, message.data);
      },
    });
  }
  const read = async (source: string) => {
    const subject = `$KV.${BUCKETS.keySets}.${source}`;
    const stored = await lastByLeader(nats, EVENT_NAMES.readKeySet, subject, 900);
    if (stored) take(source, stored.data);
  };
  const refresh = () => {
    if (!isConnected()) return;
    for (const source of sources) read(source).catch((error: unknown) => complain(source, error));
  };
  refresh();
  const timer = setInterval(refresh, REFRESH_MS);
  resources.defer(() => clearInterval(timer));
}
