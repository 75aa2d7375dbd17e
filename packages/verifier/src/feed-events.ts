/** One event of the feed: its name, its id, and the JSON object in its data. */
export type FeedEvent = { name: string; id: string; data: Record<string, unknown> };

const MAX_EVENT_CHARACTERS = 64 * 1024;

/** Reads server-sent events (HTML §9.2.6) as they come. Throws where one has no end. */
export async function* readEvents(body: AsyncIterable<Uint8Array>): AsyncGenerator<FeedEvent> {
  const decoder = new TextDecoder();
  let text = '';
  for await (const chunk of body) {
    text += decoder.decode(chunk, { stream: true });
    const blocks = text.split('\n\n');
    text = blocks.pop() ?? '';
    if (text.length > MAX_EVENT_CHARACTERS) throw new Error('an event of the feed is too long');
    for (const block of blocks) {
      const event = readEvent(block);
      if (event) yield event;
    }
  }
}

function readEvent(block: string): FeedEvent | undefined {
  const fields = new Map<string, string>();
  for (const line of block.split('\n')) {
    const colon = line.indexOf(':');
    if (colon > 0) fields.set(line.slice(0, colon), line.slice(colon + 1).replace(/^ /, ''));
  }
  const text = fields.get('data');
  if (text === undefined) return undefined;
  const data: unknown = JSON.parse(text);
  if (typeof data !== 'object' || data === null) return undefined;
  return { name: fields.get('event') ?? '', id: fields.get('id') ?? '', data: data as FeedEvent['data'] };
}
