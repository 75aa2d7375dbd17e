import type { Bus } from './bus.ts';

/** What a fake bus does with one publish: stores it and says so, stores it in silence, or hears nothing. */
export type Fate = 'acknowledge' | 'store, then time out' | 'lose';

/** A bus in memory, that remembers ids as JetStream does. */
export function fakeBus(fates: Fate[] = []) {
  const stored = new Map<string, { eventName: string; event: Record<string, unknown> }>();
  const listeners = new Map<string, (body: string) => void>();
  const published: { eventName: string; id: string }[] = [];
  const requests: { eventName: string; body: unknown }[] = [];
  const state = {
    /** What is told when a start is stored. */
    onStored: (_eventName: string, _event: Record<string, unknown>) => {},
    answer: (_eventName: string): unknown => {
      throw new Error('nobody answers');
    },
  };
  const bus: Bus = {
    async publish(eventName, body, id) {
      published.push({ eventName, id });
      const fate = fates.shift() ?? 'acknowledge';
      const duplicate = stored.has(id);
      if (fate !== 'lose' && !duplicate) {
        const event = JSON.parse(body) as Record<string, unknown>;
        stored.set(id, { eventName, event });
        state.onStored(eventName, event);
      }
      if (fate !== 'acknowledge') throw new Error('timeout');
      return { duplicate };
    },
    async request(eventName, body) {
      requests.push({ eventName, body: JSON.parse(body) });
      return JSON.stringify(state.answer(eventName));
    },
    async listen(eventName, hear) {
      listeners.set(eventName, hear);
      return () => void listeners.delete(eventName);
    },
    close: async () => {},
  };
  return { bus, stored, listeners, published, requests, state };
}
