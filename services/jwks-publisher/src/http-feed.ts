import type { ServerResponse } from 'node:http';
import { writeBuildReference } from '@mayfly/contracts/build-reference';
import { ServiceError } from '@mayfly/contracts/errors';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { clientNetwork } from './client-network.ts';
import type { Feed, Listener } from './feed.ts';
import type { EndedBuild } from './feed-log.ts';
import { type Opening, openings, type Seen } from './feed-opening.ts';
import type { FeedPlaces } from './feed-places.ts';
import { CORS, publicRoute } from './http-documents.ts';
import type { Metrics } from './metrics.ts';

/** The feeds of all issuers: what is told, the places for those who hear it, and what counts them. */
export type Feeds = { feed: Feed; places: FeedPlaces; metrics: Pick<Metrics, 'feeds'> };

type Issuer = { source: string; issuer: string };

const BEAT_MS = 2000;
/** How far a listener may be behind, bytes, and for how long, ms, before it is sent away, to resume. */
const MAX_BEHIND_BYTES = 8 << 20;
const MAX_BEHIND_MS = 30_000;
const HEADERS = {
  ...CORS,
  'content-type': 'text/event-stream',
  'cache-control': 'no-store',
  'x-accel-buffering': 'no',
};

/** Adds the feed of an issuer's builds that ended: server-sent events (HTML §9.2), resumable by `Last-Event-ID`. */
export function feedRoute(
  http: FastifyInstance,
  path: string,
  { source, issuer }: Issuer,
  { feed, places, metrics }: Feeds,
): void {
  const write = endWriter(issuer);
  const { prepare, open } = openings((ended) => endEvent(issuer, ended));
  const mustBeProven = () => {
    if (feed.isProven()) return;
    metrics.feeds('unknown');
    throw new ServiceError('temporarily_unavailable', 'it is not known which builds have ended');
  };
  publicRoute(http, path, async (request, reply) => {
    mustBeProven();
    if (request.method === 'HEAD') return reply.headers(HEADERS).send();
    await prepare(() => feed.endsOf(source));
    mustBeProven();
    const response = reply.raw;
    // Whoever went meanwhile takes no place.
    if (request.raw.socket.destroyed) return reply.hijack();
    const leavePlace = places.take(clientNetwork(request.ip), () => {
      metrics.feeds('sent_away');
      response.destroy();
    });
    if (!leavePlace) {
      metrics.feeds('full');
      throw new ServiceError('slow_down', 'too many hear the feed already');
    }
    reply.hijack();
    response.writeHead(200, HEADERS);
    metrics.feeds('opened');
    const listener = listenerOf(source, response, write, () => metrics.feeds('too_slow'));
    const leave = feed.listen(listener);
    response.on('error', () => response.destroy());
    response.on('close', () => {
      leavePlace();
      leave();
    });
    tellOpening(response, open(feed.endsOf(source), lastSeen(request)), feed.windowMs);
    listener.allow(response.writableLength);
    return reply;
  });
}

function listenerOf(
  source: string,
  response: ServerResponse,
  write: (ended: EndedBuild) => Buffer,
  tooSlow: () => void,
): Listener & { allow(bytes: number): void } {
  let beatAt = performance.now();
  let caughtUpAt = beatAt;
  let allowed = MAX_BEHIND_BYTES;
  const tell = (text: string | Buffer) => {
    if (response.destroyed) return;
    const now = performance.now();
    if (response.writableLength === 0) caughtUpAt = now;
    response.write(text);
    if (response.writableLength <= allowed && now - caughtUpAt <= MAX_BEHIND_MS) return;
    tooSlow();
    response.destroy();
  };
  return {
    source,
    /** An opening may be long: whoever reads it is not behind yet. */
    allow(bytes: number) {
      allowed = MAX_BEHIND_BYTES + bytes;
    },
    tell: (ended) => tell(write(ended)),
    beat() {
      if (performance.now() - beatAt < BEAT_MS - 100) return;
      beatAt = performance.now();
      tell(beatEvent());
    },
    end: () => void response.destroy(),
  };
}

function tellOpening(response: ServerResponse, { bytes, events }: Opening, windowMs: number): void {
  const opened = { window: Math.floor(windowMs / 1000), events };
  response.write('retry: 1000\n\n');
  for (const chunk of bytes) if (chunk.length > 0) response.write(chunk);
  response.write(`event: open\ndata: ${JSON.stringify(opened)}\n\n${beatEvent()}`);
}

/** Gives what writes an end as an event: once, for all who hear it. */
function endWriter(issuer: string): (ended: EndedBuild) => Buffer {
  const written = new WeakMap<EndedBuild, Buffer>();
  return (ended) => {
    const event = written.get(ended) ?? Buffer.from(endEvent(issuer, ended));
    written.set(ended, event);
    return event;
  };
}

function endEvent(issuer: string, ended: EndedBuild): string {
  const { seq, storedAt, source, id, attempt, reason, finishedAt } = ended;
  const data = {
    iss: issuer,
    build_id: id,
    attempt,
    finished_at: Math.floor(finishedAt / 1000),
    reason,
    jti_prefix: `${writeBuildReference({ source, id, attempt })}.`,
  };
  return `id: ${seq}-${storedAt}\nevent: build.finished\ndata: ${JSON.stringify(data)}\n\n`;
}

function beatEvent(): string {
  return `event: beat\ndata: {"time":${Date.now() / 1000}}\n\n`;
}

function lastSeen(request: FastifyRequest): Seen | undefined {
  const text = request.headers['last-event-id'];
  const [, seq, storedAt] = /^([1-9][0-9]{0,14})-([0-9]{1,15})$/.exec(String(text)) ?? [];
  return seq === undefined ? undefined : { seq: Number(seq), storedAt: Number(storedAt) };
}
