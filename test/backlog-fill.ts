import { randomUUID } from 'node:crypto';
import { CONSUMERS, STREAMS } from '@mayfly/contracts/bus';
import { jetstream } from '@nats-io/jetstream';
import type { Ci } from './ci.ts';
import type { Streams } from './operator.ts';

/** An event to publish: which of the two, and its body. */
export type Filling = ['started' | 'finished', object];

const AT_ONCE = 500;

/** Publishes many events of a CI, in their order, some hundred at once; all of them are stored when it is done. */
export async function fill(ci: Ci, count: number, make: (index: number) => Filling): Promise<void> {
  const js = jetstream(ci.nats);
  for (let from = 0; from < count; from += AT_ONCE) {
    const chunk = Array.from({ length: Math.min(AT_ONCE, count - from) }, (_, offset) => {
      const [verb, event] = make(from + offset);
      const options = { msgID: randomUUID(), timeout: 30_000 };
      return js.publish(`ci.${ci.source}.build.${verb}`, JSON.stringify(event), options);
    });
    await Promise.all(chunk);
  }
}

/** How many events of BUILDS nobody has acknowledged yet. */
export async function waiting({ main }: Streams): Promise<{ starts: number; ends: number }> {
  const count = async (consumer: string) => {
    const { num_pending, num_ack_pending } = await main.consumers.info(STREAMS.builds, consumer);
    return num_pending + num_ack_pending;
  };
  return { starts: await count(CONSUMERS.starts), ends: await count(CONSUMERS.ends) };
}
