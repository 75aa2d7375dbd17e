import { Worker } from 'node:worker_threads';
import { ServiceError } from '@mayfly/contracts/errors';
import type { NewKey } from './keyring.ts';
import { type ThreadKeys, threadKeys } from './sign-input.ts';

/** What a worker is told: keys to learn and to forget, and inputs to sign, each with the key of its kid. */
export type ToWorker = {
  id: number;
  learn: NewKey[];
  forget: string[];
  kids: string[];
  inputs: string[];
};
type FromWorker = { id: number; signatures: (string | null)[] };

/**
 * Signs on worker threads, in batches where there is enough to sign; what comes alone goes at once. A few signatures that
 * are quick, and a couple of any kind while the threads are idle, are made on the calling thread: the way to another one and
 * back takes as long.
 */
export type SignPool = {
  /** Gives the signature of `input` as base64url. */
  sign(key: NewKey, input: string): Promise<string>;
  keepOnly(kids: ReadonlySet<string>): void;
  close(): Promise<void>;
};

type Job = { key: NewKey; input: string; resolve(signature: string): void; reject(error: unknown): void };
type Thread = { worker: Worker; known: Set<string>; inHand: Map<number, Job[]> };
type Pool = {
  threads: Thread[];
  /** Of the calling thread. */
  ownKeys: ThreadKeys;
  waiting: Job[];
  isPlanned: boolean;
  isClosed: boolean;
  lastId: number;
};

/** Most of one batch: what a core signs in some milliseconds. */
const BATCH = { RS256: 32, ES256: 64 };
/** A worker finds its next batch waiting when it is done with one. */
const MAX_IN_HAND = 2;
/** Most that the calling thread signs at once: of what takes it some 15 µs each, and of what takes it a quarter of a ms or more. */
const FEW = 128;
const COUPLE = 2;

/** Starts `size` worker threads. */
export function signPool(size = 2): SignPool {
  const pool: Pool = {
    threads: [],
    ownKeys: threadKeys(),
    waiting: [],
    ...{ isPlanned: false, isClosed: false, lastId: 0 },
  };
  for (let i = 0; i < size; i++) start(pool);
  return {
    sign: (key, input) =>
      new Promise((resolve, reject) => {
        pool.waiting.push({ key, input, resolve, reject });
        if (pool.isPlanned) return;
        pool.isPlanned = true;
        queueMicrotask(() => dispatch(pool));
      }),
    keepOnly(kids) {
      pool.ownKeys.forget(pool.ownKeys.kids().filter((kid) => !kids.has(kid)));
      for (const { worker, known } of pool.threads) {
        const forget = [...known].filter((kid) => !kids.has(kid));
        for (const kid of forget) known.delete(kid);
        if (forget.length > 0) tell(worker, { id: 0, learn: [], forget, kids: [], inputs: [] });
      }
    },
    async close() {
      pool.isClosed = true;
      const closed = new ServiceError('temporarily_unavailable', 'the signing threads are closed');
      for (const { reject } of pool.waiting.splice(0)) reject(closed);
      await Promise.all(pool.threads.map(({ worker }) => worker.terminate()));
    },
  };
}

function start(pool: Pool): void {
  const worker = new Worker(new URL('./sign-worker.ts', import.meta.url), { env: {}, name: 'sign' });
  const thread: Thread = { worker, known: new Set(), inHand: new Map() };
  pool.threads.push(thread);
  worker.on('message', ({ id, signatures }: FromWorker) => {
    const jobs = thread.inHand.get(id) ?? [];
    thread.inHand.delete(id);
    dispatch(pool);
    jobs.forEach((job, index) => {
      settle(job, signatures[index]);
    });
  });
  worker.on('error', (error) => end(thread, pool, error));
  worker.on('exit', () => end(thread, pool, undefined));
}

/** What a thread that ended had in hand fails for now, and can be asked for again: another takes its place. */
function end(thread: Thread, pool: Pool, cause: unknown): void {
  const index = pool.threads.indexOf(thread);
  if (index < 0) return;
  pool.threads.splice(index, 1);
  const error = new ServiceError('temporarily_unavailable', 'a signing thread ended', { cause });
  for (const { reject } of [...thread.inHand.values()].flat()) reject(error);
  if (pool.isClosed) return;
  start(pool);
  dispatch(pool);
}

/** Shares out what waits among idle threads; a second batch goes to a busy one only when it is full. */
function dispatch(pool: Pool): void {
  const { threads, waiting } = pool;
  pool.isPlanned = false;
  if (isSoonerHere(pool)) for (const job of waiting.splice(0)) signHere(job, pool);
  for (let depth = 0; depth < MAX_IN_HAND; depth++) {
    const open = threads.filter(({ inHand }) => inHand.size === depth);
    open.forEach((thread, index) => {
      const most = BATCH[waiting[0]?.key.alg ?? 'RS256'];
      const share = Math.min(most, Math.ceil(waiting.length / (open.length - index)));
      if (waiting.length >= (depth === 0 ? 1 : most)) send(thread, waiting.splice(0, share), pool);
    });
  }
}

/** Says whether what waits is signed here. */
function isSoonerHere({ threads, waiting }: Pool): boolean {
  if (waiting.length <= COUPLE && threads.every(isIdle)) return true;
  return waiting.length <= FEW && waiting.every(isQuick) && !threads.some(hasQuick);
}

const isIdle = ({ inHand }: Thread) => inHand.size === 0;

const isQuick = ({ key }: Job) => key.alg === 'ES256';

/** Where a thread has such signatures in hand there are many to make, which the threads do sooner together. */
const hasQuick = ({ inHand }: Thread) => inHand.values().some((jobs) => jobs.some(isQuick));

function signHere({ key, input, resolve, reject }: Job, { ownKeys }: Pool): void {
  try {
    ownKeys.learn(key);
    resolve(ownKeys.sign(key.kid, input) as string);
  } catch (error) {
    reject(error);
  }
}

function send({ worker, known, inHand }: Thread, jobs: Job[], pool: Pool): void {
  const id = ++pool.lastId;
  const learn = new Map<string, NewKey>();
  for (const { key } of jobs) {
    if (!known.has(key.kid)) learn.set(key.kid, { kid: key.kid, alg: key.alg, jwk: key.jwk });
    known.add(key.kid);
  }
  inHand.set(id, jobs);
  const kids = jobs.map(({ key }) => key.kid);
  tell(worker, { id, learn: [...learn.values()], forget: [], kids, inputs: jobs.map(({ input }) => input) });
}

const tell = (worker: Worker, message: ToWorker) => worker.postMessage(message);

function settle({ resolve, reject }: Job, signature: string | null | undefined): void {
  if (signature) resolve(signature);
  else reject(new Error('the signing thread does not know the key'));
}
