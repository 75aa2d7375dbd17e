import { BUCKETS, STREAMS } from '@mayfly/contracts/bus';
import { type JetStreamManager, jetstreamManager } from '@nats-io/jetstream';
import { type ConnectionOptions, connect, type NatsConnection } from '@nats-io/transport-node';
import { eventually } from './ci.ts';
import type { TestSystem } from './system.ts';

/** What a test looks at behind the services' backs: the streams and buckets themselves. */
export type Streams = AsyncDisposable & {
  main: JetStreamManager;
  keys: JetStreamManager;
  /** Last sequence of every stream and bucket, by name. */
  lastSequences(): Promise<Record<string, number>>;
  /** Bodies of the dead letters of a source, oldest first. */
  deadLetters(source: string): Promise<DeadLetterBody[]>;
};

type DeadLetterBody = {
  data: {
    error: string;
    error_description: string;
    seq: number;
    sha256: string;
    is_whole: boolean;
    body_base64: string;
  };
};

/** Connects to the NATS of a system as one of its own users. */
export function connectAs(
  system: TestSystem,
  user: string,
  options: ConnectionOptions = {},
): Promise<NatsConnection> {
  const pass = system.secret(`nats-${user}`);
  return connect({
    ...{ servers: system.urlsOf('nats'), user, pass, inboxPrefix: `_INBOX.${user}` },
    ...options,
  });
}

/** Opens the streams of a system under the identities that made them. */
export async function openStreams(system: TestSystem): Promise<Streams> {
  const lasting = {
    ...{ maxReconnectAttempts: -1, reconnectTimeWait: 100 },
    // Of several servers one that is paused has to be left for another.
    ...(system.urlsOf('nats').length > 1 ? { pingInterval: 1000, maxPingOut: 2 } : {}),
  };
  const open = (user: string) => connectAs(system, user, lasting);
  const [nats, natsOfKeys] = await Promise.all([open('bootstrap'), open('bootstrap-keys')]);
  const [main, keys] = await Promise.all([
    jetstreamManager(nats, { checkAPI: false }),
    jetstreamManager(natsOfKeys, { checkAPI: false }),
  ]);
  const lastOf = async (manager: JetStreamManager, name: string) =>
    [name, (await manager.streams.info(name)).state.last_seq] as const;
  return {
    main,
    keys,
    async lastSequences() {
      const ofMain = Object.values(STREAMS).map((name) => lastOf(main, name));
      const ofKeys = Object.values(BUCKETS).map((name) => lastOf(keys, `KV_${name}`));
      return Object.fromEntries(await Promise.all([...ofMain, ...ofKeys]));
    },
    async deadLetters(source) {
      const letters: DeadLetterBody[] = [];
      for (let seq = 1; ; ) {
        const message = await main.direct.getMessage(STREAMS.deadLetters, {
          seq,
          next_by_subj: `dead-letters.${source}`,
        });
        if (!message) return letters;
        letters.push(message.json<DeadLetterBody>());
        seq = message.seq + 1;
      }
    },
    async [Symbol.asyncDispose]() {
      await Promise.all([nats.close(), natsOfKeys.close()]);
    },
  };
}

/** Sends an operator's command (`builds.revoke`, `dead-letters.list`, …), until whoever is asked can know; gives the answer. */
export async function commandAs(
  system: TestSystem,
  command: string,
  body: object,
): Promise<Record<string, unknown>> {
  const nats = await connectAs(system, 'operator');
  try {
    return await eventually(async () => {
      const message = await nats.request(`admin.${command}`, JSON.stringify(body), { timeout: 5000 });
      const answer = message.json<Record<string, unknown>>();
      return answer['error'] !== 'temporarily_unavailable' && answer;
    }, 'answer that knows');
  } finally {
    await nats.close();
  }
}
