import { createPrivateKey, type JsonWebKey, type KeyObject, sign } from 'node:crypto';
import { parentPort } from 'node:worker_threads';
import type { ToWorker } from './sign-pool.ts';
import { toP1363 } from './to-p1363.ts';

/** A worker thread that signs batches. Each key is imported once: signing with text of a key costs three times as much. */
const keys = new Map<string, KeyObject>();

parentPort?.on('message', ({ id, learn, forget, kids, inputs }: ToWorker) => {
  for (const kid of forget) keys.delete(kid);
  for (const { kid, jwk } of learn)
    keys.set(kid, createPrivateKey({ key: jwk as JsonWebKey, format: 'jwk' }));
  if (inputs.length > 0)
    parentPort?.postMessage({ id, signatures: inputs.map((input, i) => signOne(kids[i], input)) });
});

function signOne(kid: string | undefined, input: string): string | null {
  const key = keys.get(kid ?? '');
  if (!key) return null;
  const signature = sign('sha256', Buffer.from(input, 'latin1'), key);
  return (key.asymmetricKeyType === 'ec' ? toP1363(signature) : signature).toString('base64url');
}
