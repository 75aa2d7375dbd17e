import type { NatsConnection } from '@nats-io/transport-node';
import { type Signed, signIdToken } from './keys-requests.ts';

/** A token that was signed: by which key, when it was asked for, and when it came. */
export type LoadedToken = { kid: string; asked: number; at: number };

/** Asks for tokens at an even pace, and notes what came of each. */
export function startLoad(issuer: NatsConnection, tokensASecond: number) {
  const tokens: LoadedToken[] = [];
  const errors: string[] = [];
  const note = (asked: number) => (signed: Signed) => {
    if ('kid' in signed) tokens.push({ kid: signed.kid, asked, at: performance.now() });
    else errors.push(signed.error);
  };
  const started = performance.now();
  let sent = 0;
  const timer = setInterval(() => {
    for (const due = ((performance.now() - started) / 1000) * tokensASecond; sent < due; sent++)
      signIdToken(issuer).then(note(performance.now()), (error: Error) => void errors.push(error.message));
  }, 2);
  return { tokens, errors, [Symbol.dispose]: () => clearInterval(timer) };
}

/** Takes moments in any order; gives the longest time between two that follow each other. */
export function longestGap(times: number[]): number {
  const sorted = times.toSorted((a, b) => a - b);
  return Math.max(...sorted.slice(1).map((time, index) => time - (sorted[index] as number)));
}
