import { parentPort } from 'node:worker_threads';
import { threadKeys } from './sign-input.ts';
import type { ToWorker } from './sign-pool.ts';

/** A worker thread that signs batches. */
const keys = threadKeys();

parentPort?.on('message', ({ id, learn, forget, kids, inputs }: ToWorker) => {
  keys.forget(forget);
  for (const key of learn) keys.learn(key);
  if (inputs.length > 0)
    parentPort?.postMessage({ id, signatures: inputs.map((input, i) => keys.sign(kids[i] ?? '', input)) });
});
