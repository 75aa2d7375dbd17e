import { issuerUrl } from '@mayfly/contracts/issuer-url';
import type { TestSystem } from './system.ts';

/** One event of the feed, as it came. */
export type FeedEvent = { id: string; event: string; data: Record<string, unknown> };

/** Someone who hears the feed until it is closed or breaks. */
export type FeedListener = {
  events: FeedEvent[];
  status: number;
  headers: Headers;
  /** Ids of the builds that the feed has said to be over. */
  ended(): unknown[];
  isOpen(): boolean;
  close(): void;
};

/** Hears the feed of a source; from after an event on, where its id is given. */
export async function hearFeed(
  system: TestSystem,
  { source = 'acme', at = 'jwks-publisher', lastEventId = '' } = {},
): Promise<FeedListener> {
  const closing = new AbortController();
  const response = await fetch(`${issuerUrl(system.urlOf(at), source)}/revocations`, {
    headers: { accept: 'text/event-stream', ...(lastEventId === '' ? {} : { 'last-event-id': lastEventId }) },
    signal: closing.signal,
  });
  const events: FeedEvent[] = [];
  let isOpen = true;
  read(response, events)
    .catch(() => undefined)
    .finally(() => {
      isOpen = false;
    });
  return {
    events,
    status: response.status,
    headers: response.headers,
    ended: () => events.filter(({ event }) => event === 'build.finished').map(({ data }) => data['build_id']),
    isOpen: () => isOpen,
    close: () => closing.abort(),
  };
}

async function read(response: Response, events: FeedEvent[]): Promise<void> {
  let text = '';
  const decoder = new TextDecoder();
  for await (const chunk of response.body ?? []) {
    text += decoder.decode(chunk as Uint8Array, { stream: true });
    const blocks = text.split('\n\n');
    text = blocks.pop() ?? '';
    for (const block of blocks) {
      const fields = new Map(
        block.split('\n').map((line) => line.split(/: (.*)/s).slice(0, 2) as [string, string]),
      );
      const data = fields.get('data');
      if (data) {
        events.push({
          id: fields.get('id') ?? '',
          event: fields.get('event') ?? '',
          data: JSON.parse(data) as never,
        });
      }
    }
  }
}
