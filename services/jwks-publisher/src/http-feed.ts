import type { ServerResponse } from 'node:http';
import { writeBuildReference } from '@mayfly/contracts/build-reference';
import { ServiceError } from '@mayfly/contracts/errors';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { Feed } from './feed.ts';
import type { EndedBuild } from './feed-log.ts';
import { CORS, publicRoute } from './http-documents.ts';

/** Who hears a feed now, so that a stopping process can send them away; bounded. */
export type FeedLimit = { open: Set<ServerResponse>; max: number };

type Issuer = { source: string; issuer: string };

const BEAT_MS = 2000;
/** How far a listener may be behind before it is sent away, to resume, bytes. */
const MAX_BEHIND_BYTES = 8 << 20;

/** Adds the feed of an issuer's builds that ended: server-sent events (HTML §9.2), resumable by `Last-Event-ID`. */
export function feedRoute(
  http: FastifyInstance,
  path: string,
  { source, issuer }: Issuer,
  feed: Feed,
  { open, max }: FeedLimit,
): void {
  publicRoute(http, path, (request, reply) => {
    if (!feed.isProven()) {
      throw new ServiceError('temporarily_unavailable', 'it is not known which builds have ended');
    }
    if (open.size >= max) throw new ServiceError('slow_down', 'too many hear the feed already');
    const response = reply.raw;
    const headers = {
      ...CORS,
      'content-type': 'text/event-stream',
      'cache-control': 'no-store',
      'x-accel-buffering': 'no',
    };
    if (request.method === 'HEAD') return reply.headers(headers).send();
    reply.hijack();
    response.writeHead(200, headers);
    open.add(response);
    const listener = listenerOf(source, issuer, response);
    const { opening, leave } = feed.listen(listener, lastSeqOf(request));
    response.on('error', () => response.destroy());
    response.on('close', () => {
      open.delete(response);
      leave();
    });
    tellOpening(response, issuer, opening, feed.windowMs);
    listener.allow(response.writableLength);
  });
}

function listenerOf(source: string, issuer: string, response: ServerResponse) {
  let beatAt = performance.now();
  let allowed = MAX_BEHIND_BYTES;
  const write = (text: string) => {
    if (response.destroyed) return;
    response.write(text);
    if (response.writableLength > allowed) response.destroy();
  };
  return {
    source,
    /** An opening may be long: whoever reads it is not behind yet. */
    allow(bytes: number) {
      allowed = MAX_BEHIND_BYTES + bytes;
    },
    tell: (ended: EndedBuild) => write(endEvent(issuer, ended)),
    beat() {
      if (performance.now() - beatAt < BEAT_MS - 100) return;
      beatAt = performance.now();
      write(beatEvent());
    },
    end: () => void response.destroy(),
  };
}

function tellOpening(
  response: ServerResponse,
  issuer: string,
  opening: EndedBuild[],
  windowMs: number,
): void {
  const opened = { window: Math.floor(windowMs / 1000), events: opening.length };
  const events = opening.map((ended) => endEvent(issuer, ended)).join('');
  response.write(`retry: 1000\n\n${events}event: open\ndata: ${JSON.stringify(opened)}\n\n${beatEvent()}`);
}

function endEvent(issuer: string, { seq, source, id, attempt, reason, finishedAt }: EndedBuild): string {
  const data = {
    iss: issuer,
    build_id: id,
    attempt,
    finished_at: Math.floor(finishedAt / 1000),
    reason,
    jti_prefix: `${writeBuildReference({ source, id, attempt })}.`,
  };
  return `id: ${seq}\nevent: build.finished\ndata: ${JSON.stringify(data)}\n\n`;
}

function beatEvent(): string {
  return `event: beat\ndata: {"time":${Date.now() / 1000}}\n\n`;
}

function lastSeqOf(request: FastifyRequest): number | undefined {
  const text = request.headers['last-event-id'];
  return typeof text === 'string' && /^[1-9][0-9]{0,14}$/.test(text) ? Number(text) : undefined;
}
