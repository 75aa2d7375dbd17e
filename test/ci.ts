import { randomUUID } from 'node:crypto';
import type { Build } from '@mayfly/contracts/build';
import { EVENT_NAMES } from '@mayfly/contracts/bus';
import { type BuildStarted, checkTokenGrant, type TokenGrant } from '@mayfly/contracts/events';
import { jetstream, type PubAck } from '@nats-io/jetstream';
import { connect, type NatsConnection } from '@nats-io/transport-node';
import type { TestSystem } from './system.ts';

/** A CI system as a test plays it: with the credentials of one source and nothing else. */
export type Ci = AsyncDisposable & {
  nats: NatsConnection;
  source: string;
  /** Says that a build runs; gives what JetStream answered. */
  start(build: TestBuild): Promise<PubAck>;
  finish(id: string, attempt?: number): Promise<PubAck>;
  /** Publishes any body on any event name, as an event is published. */
  publish(eventName: string, body: string | Uint8Array, msgID?: string): Promise<PubAck>;
  /** Asks for the grant of a running build, for so long (ms) as nobody can know; undefined where it is refused, or still unknown. */
  askGrant(id: string, attempt?: number, knownMs?: number): Promise<TokenGrant | undefined>;
  /** Everything that was heard on `tokens.<source>.>` so far, oldest first. */
  grants: TokenGrant[];
  /** Gives the first grant of this build that was heard, at once; and forgets it where grants are not kept. */
  take(id: string): TokenGrant | undefined;
  /** Hands over the first grant of this build as it comes, which is then not kept; gives what stops waiting for it. */
  onGrant(id: string, hear: (grant: TokenGrant) => void): () => void;
  /** Waits until a grant of this build was heard. */
  heard(id: string): Promise<TokenGrant>;
};

/** A build to start: its id, and what differs from a plain one. */
export type TestBuild = {
  id: string;
  idTokens?: BuildStarted['data']['id_tokens'] | null;
  reply?: string;
  build?: Partial<Build>;
  eventId?: string;
  time?: string;
};

const API = 'https://api.example.com';
/** The name that builds give for their grants unless the test says otherwise. */
export const RUNNER = 'runner';

/**
 * Connects as the CI system `source`. One that hears hundreds of thousands of grants does better not to keep them, and where
 * others start most of the builds to hear those alone that name it, as `reply`.
 */
export async function connectCi(
  system: TestSystem,
  source = 'acme',
  isKept = true,
  replyName = '*',
): Promise<Ci> {
  const nats = await connect({
    ...system.ciCredentials(source),
    maxReconnectAttempts: -1,
    reconnectTimeWait: 100,
    timeout: 5000,
    // Every request would take three stack traces: a seventh of what a load generator does.
    noAsyncTraces: true,
    // Of several servers one that is paused has to be left for another.
    ...(system.urlsOf('nats').length > 1 ? { pingInterval: 1000, maxPingOut: 2 } : {}),
  });
  const js = jetstream(nats);
  const grants: TokenGrant[] = [];
  const byBuild = new Map<string, TokenGrant>();
  const hearing = new Map<string, (grant: TokenGrant) => void>();
  nats.subscribe(EVENT_NAMES.tokens(source, replyName), {
    callback: (_error, message) => {
      const grant = checkTokenGrant.parse(message.json());
      const hear = hearing.get(grant.data.id);
      if (hear) return hear(grant);
      if (isKept) grants.push(grant);
      if (!byBuild.has(grant.data.id)) byBuild.set(grant.data.id, grant);
    },
  });
  await nats.flush();
  const publish: Ci['publish'] = (eventName, body, msgID = randomUUID()) =>
    js.publish(eventName, body, { msgID, timeout: 5000 });
  return {
    ...{ nats, source, grants, publish },
    start: (build) => {
      const event = startedEvent(source, build);
      return publish(EVENT_NAMES.started(source), JSON.stringify(event), event.id);
    },
    finish: (id, attempt) => {
      const event = finishedEvent(source, id, attempt);
      return publish(EVENT_NAMES.finished(source), JSON.stringify(event), event.id);
    },
    async askGrant(id, attempt = 1, knownMs = 15_000) {
      const deadline = Date.now() + knownMs;
      for (;;) {
        const question = JSON.stringify({ id, attempt });
        const answer = await nats.request(EVENT_NAMES.grant(source), question, { timeout: 5000 });
        const body = answer.json<{ error?: string }>();
        if (checkTokenGrant.is(body)) return body;
        if (body.error !== 'temporarily_unavailable' || Date.now() > deadline) return undefined;
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    },
    take(id) {
      const grant = byBuild.get(id);
      if (!isKept) byBuild.delete(id);
      return grant;
    },
    onGrant(id, hear) {
      hearing.set(id, hear);
      return () => void hearing.delete(id);
    },
    heard: (id) => eventually(() => grants.find((grant) => grant.data.id === id), `a grant of ${id}`),
    [Symbol.asyncDispose]: () => nats.close(),
  };
}

/** Gives the event that starts a build: declared is one token, `API_TOKEN`, unless the test says otherwise. */
export function startedEvent(
  source: string,
  { id, idTokens, reply = RUNNER, build, eventId, time }: TestBuild,
): BuildStarted {
  return {
    specversion: '1.0',
    id: eventId ?? randomUUID(),
    source,
    type: 'dev.mayfly.ci.build.started',
    time: time ?? new Date().toISOString(),
    data: {
      build: { ...PLAIN, id, ...build },
      ...(idTokens === null ? {} : { id_tokens: idTokens ?? { API_TOKEN: { aud: API } } }),
      reply,
    },
  };
}

/** Gives the event that finishes a build. */
export function finishedEvent(source: string, id: string, attempt?: number) {
  return {
    specversion: '1.0',
    id: randomUUID(),
    source,
    type: 'dev.mayfly.ci.build.finished',
    time: new Date().toISOString(),
    data: { id, ...(attempt === undefined ? {} : { attempt }), outcome: 'success' },
  };
}

const PLAIN = {
  number: 12,
  organization: { id: '1', name: 'octo' },
  repository: {
    id: '456789',
    name: 'octo/hello',
    url: 'https://git.example.com/octo/hello',
    visibility: 'private',
  },
  pipeline: { id: '7', name: 'deploy' },
  ref: 'refs/heads/main',
  ref_type: 'branch',
  sha: '9fceb02d0ae598e95dc970b74767f19372d61af8',
  event: 'push',
  actor: { id: '42', name: 'octocat' },
} satisfies Partial<Build>;

/** Polls until `find` gives something; fails after the deadline, naming what was waited for. */
export async function eventually<T>(
  find: () => T | undefined | false | Promise<T | undefined | false>,
  what: string,
  deadlineMs = 15_000,
): Promise<T> {
  const deadline = Date.now() + deadlineMs;
  for (;;) {
    const found = await find();
    if (found !== undefined && found !== false) return found;
    if (Date.now() > deadline) throw new Error(`still no ${what} after ${deadlineMs / 1000} s`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
