import { randomUUID } from 'node:crypto';
import { EVENT_NAMES } from '@mayfly/contracts/bus';
import {
  type BuildFinished,
  type BuildStarted,
  type DeclaredTokens,
  MOST_BUILDS_A_HEARTBEAT,
  type TokenGrant,
} from '@mayfly/contracts/events';
import { type Bus, type BusOptions, openBus } from './bus.ts';
import { awaitGrant } from './grant.ts';
import { type Patience, publishOnce } from './publish.ts';
import { requested } from './requested.ts';

/** What a CI says of a build: its facts, and the tokens that it declares. */
export type Started = BuildStarted['data']['build'] & { id_tokens?: DeclaredTokens };

/** A CI's line to Mayfly. */
export type Client = AsyncDisposable & {
  /** Says that a build runs; gives the grant of its tokens, or undefined where it declares none. */
  start(build: Started): Promise<TokenGrant | undefined>;
  /** Says that these builds still run. Throws a `ServiceError` where that was not taken: say it again. */
  heartbeat(ids: readonly string[]): Promise<void>;
  /** Says that a build is over: from then on its tokens are dead. */
  finish(id: string, details?: { attempt?: number; outcome?: string }): Promise<void>;
  close(): Promise<void>;
};

/** Settings of a client; times are in milliseconds. */
export type ClientOptions = BusOptions & Partial<Patience> & { source: string };

const PATIENCE: Patience = { answerWithinMs: 2_000, giveUpAfterMs: 60_000 };

/** Connects a CI to Mayfly as `source`. */
export async function connect(options: ClientOptions): Promise<Client> {
  return clientOver(await openBus(options), options.source, { ...PATIENCE, ...options });
}

/** A client over an open bus. */
export function clientOver(bus: Bus, source: string, patience: Patience): Client {
  const envelope = <Type extends string>(type: Type) => ({
    specversion: '1.0' as const,
    id: randomUUID(),
    source,
    type,
    time: new Date().toISOString(),
  });
  return {
    async start({ id_tokens, ...build }) {
      const reply = id_tokens && randomUUID();
      await using grant = reply ? await awaitGrant(bus, source, reply, build, patience) : undefined;
      const data = { build, ...(id_tokens && { id_tokens }), ...(reply && { reply }) };
      const event: BuildStarted = { ...envelope('dev.mayfly.ci.build.started'), data };
      await publishOnce(bus, EVENT_NAMES.started(source), event, patience);
      return await grant?.arrived();
    },
    async heartbeat(ids) {
      for (let from = 0; from < ids.length; from += MOST_BUILDS_A_HEARTBEAT) {
        const builds = ids.slice(from, from + MOST_BUILDS_A_HEARTBEAT);
        await requested(bus, EVENT_NAMES.heartbeat(source), { builds }, patience.answerWithinMs);
      }
    },
    async finish(id, details = {}) {
      const event: BuildFinished = { ...envelope('dev.mayfly.ci.build.finished'), data: { id, ...details } };
      await publishOnce(bus, EVENT_NAMES.finished(source), event, patience);
    },
    close: () => bus.close(),
    [Symbol.asyncDispose]: () => bus.close(),
  };
}
