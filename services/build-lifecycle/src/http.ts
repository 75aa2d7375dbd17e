import { createHash, randomUUID } from 'node:crypto';
import { EVENT_NAMES, MAX_EVENT_BYTES } from '@mayfly/contracts/bus';
import { ServiceError } from '@mayfly/contracts/errors';
import type { Policy } from '@mayfly/contracts/policy';
import type { BasicAuthentication } from '@mayfly/service-kit/basic-auth';
import type { JetStreamClient, PubAck } from '@nats-io/jetstream';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { admit } from './admit.ts';

type Edge = {
  js: JetStreamClient;
  policy: Policy;
  authenticate: BasicAuthentication;
  /** Takes a heartbeat of a source. */
  beat(source: string, body: unknown): Promise<object>;
  now(): number;
};

/** A thousand ids of the longest are longer than an event may be. */
const MAX_HEARTBEAT_BYTES = 160 * 1024;

const TIMEOUT_MS = 2000;

/**
 * Adds `POST /heartbeat`, with the builds that still run, and `POST /events`: the same CloudEvents as over NATS, structured or binary (CloudEvents HTTP binding §3), from a
 * source that shows its name and secret. 202 once JetStream has the event; what could never be admitted is refused
 * at once.
 */
export function eventRoutes(http: FastifyInstance, edge: Edge): void {
  const asText = { parseAs: 'string', bodyLimit: MAX_HEARTBEAT_BYTES } as const;
  const types = ['application/cloudevents+json', 'application/json'];
  http.removeAllContentTypeParsers();
  http.addContentTypeParser(types, asText, (_request, body, done) => done(null, body));
  const sourceOf = ({ headers }: FastifyRequest): string => {
    const source = edge.authenticate(headers.authorization);
    if (!source) throw new ServiceError('invalid_client', 'the caller is not a known source');
    return source;
  };
  http.post('/heartbeat', { bodyLimit: MAX_HEARTBEAT_BYTES }, async (request, reply) => {
    const answer = await edge.beat(sourceOf(request), parse(request.body));
    return reply.header('cache-control', 'no-store').send(answer);
  });
  http.post('/events', { bodyLimit: MAX_EVENT_BYTES }, async (request, reply) => {
    const source = sourceOf(request);
    const { text, id, verb } = readEvent(request);
    const eventName = verb === 'finished' ? EVENT_NAMES.finished(source) : EVENT_NAMES.started(source);
    const data = Buffer.from(text);
    admit({ eventName, seq: 1, storedAt: edge.now(), data }, edge.policy);
    const { seq, duplicate } = await store(edge.js, eventName, data);
    return reply.code(202).header('cache-control', 'no-store').send({ id, seq, duplicate });
  });
}

/**
 * Stores an event; the same one sent again is stored once. JetStream compares nothing but the id: one made from all that the
 * event says never stands for another event, as the CI's own might, nor can another source, which cannot know it, take it first.
 */
async function store(js: JetStreamClient, eventName: string, data: Uint8Array): Promise<PubAck> {
  const msgID = createHash('sha256').update(`${eventName}\0`).update(data).digest('base64url');
  try {
    return await js.publish(eventName, data, { msgID, timeout: TIMEOUT_MS });
  } catch (cause) {
    throw new ServiceError('temporarily_unavailable', 'the event could not be stored', { cause });
  }
}

type Read = { text: string; id: string; verb: string };

function readEvent(request: FastifyRequest): Read {
  const body = parse(request.body);
  const isBinary = request.headers['ce-specversion'] !== undefined;
  const event = isBinary ? { ...attributes(request), data: body } : body;
  const { id, type } = attributesOf(event);
  const text = isBinary ? JSON.stringify(event) : (request.body as string);
  return { text, id, verb: /\.finished(\.\d+\.\d+\.\d+)?$/.test(type) ? 'finished' : 'started' };
}

/** The attributes of a CloudEvent in binary mode: one header each. */
function attributes({ headers }: FastifyRequest): Record<string, string> {
  const names = ['specversion', 'id', 'source', 'type', 'time'];
  const given = names.flatMap((name) => {
    const value = headers[`ce-${name}`];
    return typeof value === 'string' ? [[name, value] as const] : [];
  });
  return Object.fromEntries(given);
}

function attributesOf(event: unknown): { id: string; type: string } {
  const outer = (event ?? {}) as Record<string, unknown>;
  const { id, type } = (outer['context'] ?? outer) as Record<string, unknown>;
  return {
    id: typeof id === 'string' && id !== '' ? id : randomUUID(),
    type: typeof type === 'string' ? type : '',
  };
}

function parse(body: unknown): unknown {
  try {
    return JSON.parse(body as string);
  } catch (cause) {
    throw new ServiceError('invalid_request', 'the body is not JSON', { cause });
  }
}
