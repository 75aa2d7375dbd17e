import { EVENT_NAMES } from '@mayfly/contracts/bus';
import { checkPublishedKeySet, type PublishedKeySet } from '@mayfly/contracts/keys';
import type { Bus } from '@mayfly/service-kit/bus';
import type { NatsConnection } from '@nats-io/transport-node';
import type { Logger } from 'pino';

const REFRESH_MS = 1000;

/**
 * Follows the key set of every source until the process stops: hears each change, and asks for all of them every
 * second, so that a change that was not heard is not missed and that an unchanged one is known to hold still.
 */
export function followKeySets(
  { nats, isConnected }: Bus,
  sources: readonly string[],
  accept: (keySet: PublishedKeySet) => Promise<void>,
  resources: AsyncDisposableStack,
  log: Logger,
): void {
  const take = async (source: string, body: Uint8Array) => {
    const keySet: unknown = JSON.parse(new TextDecoder().decode(body));
    if (!checkPublishedKeySet.is(keySet) || keySet.source !== source) {
      log.warn({ source }, 'key set is not one of ours');
      return;
    }
    await accept(keySet);
  };
  const complain = (source: string) => (error: unknown) =>
    log.debug({ err: error, source }, 'key set not read');
  for (const source of sources) {
    nats.subscribe(EVENT_NAMES.keySetChanged(source), {
      callback: (error, message) => {
        if (!error) take(source, message.data).catch(complain(source));
      },
    });
  }
  const refresh = () => {
    if (!isConnected()) return;
    for (const source of sources) readKeySet(nats, source, take).catch(complain(source));
  };
  refresh();
  const timer = setInterval(refresh, REFRESH_MS);
  resources.defer(() => clearInterval(timer));
}

async function readKeySet(
  nats: NatsConnection,
  source: string,
  take: (source: string, body: Uint8Array) => Promise<void>,
) {
  const message = await nats.request(EVENT_NAMES.readKeySet(source), '', { timeout: 900 });
  if (message.headers?.code === 404 || message.data.length === 0) return;
  await take(source, message.data);
}
