import { randomUUID } from 'node:crypto';
import { decodeStatusList, statusAt } from '@mayfly/contracts/status-list';
import { jetstream } from '@nats-io/jetstream';
import { connect } from '@nats-io/transport-node';
import { eventually, finishedEvent } from '../ci.ts';
import { type HttpPool, httpPool } from '../http-pool.ts';
import { pace } from './pace.ts';
import { answerJobs } from './program.ts';

/** A build that runs, and what tells whether it still does. */
export type LiveBuild = { id: string; question: string; idx: number };

/** Builds to finish, so many a second, and where to see that they are over. */
export type RevocationJob = {
  login: { servers: string[]; user: string; pass: string; inboxPrefix: string };
  port: number;
  builds: LiveBuild[];
  perSecond: number;
  /** The request for the status list that all of them are in. */
  listRequest: string;
  feedUrl: string;
};
/** For each build, how long after its end was published (ms). */
export type RevocationResult = {
  introspection: number[];
  feed: number[];
  statusList: number[];
  questions: number;
  failed: number;
  cpuSeconds: number;
};

type Seen = Map<string, number>;

const CONNECTIONS = 128;
const LIST_EVERY_MS = 20;
const LIST_REUSED_MS = 1100;
const LATE_MS = 5000;

async function measure(job: RevocationJob): Promise<RevocationResult> {
  const before = process.cpuUsage();
  const nats = await connect({ ...job.login, noAsyncTraces: true });
  const js = jetstream(nats);
  const pool = httpPool(job.port, CONNECTIONS);
  const closing = new AbortController();
  const told: Seen = new Map();
  const listed: Seen = new Map();
  await hearFeed(job.feedUrl, told, closing.signal);
  const published: Seen = new Map();
  // A list that was signed before these builds began says that they do not run.
  await wait(LIST_REUSED_MS);
  const watching = watchList(job, pool, { listed, published }, closing.signal);
  let questions = 0;

  const finish = async ({ id, question }: LiveBuild) => {
    published.set(id, performance.now());
    const event = finishedEvent('acme', id);
    const stored = js.publish('ci.acme.build.finished', JSON.stringify(event), { msgID: randomUUID() });
    for (const until = performance.now() + LATE_MS; performance.now() < until; questions++) {
      const { status, body } = await pool.send(question);
      if (status === 200 && body === '{"active":false}') {
        await stored;
        return true;
      }
    }
    return false;
  };
  const { latencies, failed } = await pace(job.perSecond, job.builds.length / job.perSecond, (index) =>
    finish(job.builds[index] as LiveBuild),
  );
  const missing = () =>
    job.builds.filter(({ id }) => !listed.has(id)).length +
    job.builds.filter(({ id }) => !told.has(id)).length;
  for (let waits = 0; missing() > 0 && waits < 50; waits++) await wait(100);
  closing.abort();
  await watching;
  pool.close();
  await nats.close();
  const { user, system } = process.cpuUsage(before);
  const since = (seen: Seen) =>
    [...published].flatMap(([id, at]) => (seen.has(id) ? [(seen.get(id) as number) - at] : []));
  return {
    ...{ introspection: latencies, feed: since(told), statusList: since(listed), questions },
    failed: failed + missing(),
    cpuSeconds: (user + system) / 1e6,
  };
}

const wait = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** Hears the feed, from before the first end on; resolves once it is open. */
async function hearFeed(url: string, told: Seen, signal: AbortSignal): Promise<void> {
  const ask = async () => {
    const response = await fetch(url, { headers: { accept: 'text/event-stream' }, signal });
    return response.ok && response;
  };
  // It answers 503 until it knows that nothing is missing.
  const response = await eventually(ask, 'feed');
  const read = async () => {
    const decoder = new TextDecoder();
    let text = '';
    for await (const chunk of response.body ?? []) {
      const now = performance.now();
      text += decoder.decode(chunk as Uint8Array, { stream: true });
      const end = text.lastIndexOf('\n\n');
      for (const [, id] of text.slice(0, end + 1).matchAll(/"build_id":"([^"]+)"/g)) {
        if (id !== undefined && !told.has(id)) told.set(id, now);
      }
      text = text.slice(end + 1);
    }
  };
  read().catch(() => undefined);
}

/** Asks for the status list again and again, as a relying party without a cache would. */
async function watchList(
  { builds, listRequest }: RevocationJob,
  pool: HttpPool,
  { listed, published }: { listed: Seen; published: Seen },
  signal: AbortSignal,
): Promise<void> {
  let last = '';
  while (!signal.aborted) {
    const { status, body } = await pool.send(listRequest);
    if (status === 200 && body !== last) {
      last = body;
      const now = performance.now();
      const payload = JSON.parse(Buffer.from(body.split('.')[1] as string, 'base64url').toString()) as {
        status_list: { bits: number; lst: string };
      };
      const bytes = decodeStatusList(payload.status_list);
      for (const { id, idx } of builds) {
        if (published.has(id) && !listed.has(id) && statusAt(bytes, 1, idx) === 1) listed.set(id, now);
      }
    }
    await wait(LIST_EVERY_MS);
  }
}

await answerJobs<RevocationJob>(measure, () => undefined);
