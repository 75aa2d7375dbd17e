import { STREAMS } from '@mayfly/contracts/bus';
import { expect } from 'vitest';
import { said } from './backlog-watch.ts';
import type { LedgerEntry } from './chaos-load.ts';
import { PUBLISHERS } from './chaos-watch.ts';
import { type Ci, eventually } from './ci.ts';
import type { Streams } from './operator.ts';
import type { TestSystem } from './system.ts';

/** Tokens live five minutes: of older ones an answer says nothing about their build. */
const TELLING_MS = 240_000;
const MOST_ASKED = 2000;
const AT_ONCE = 20;

/** Fails unless the stream has every event that it acknowledged, at its place. */
export async function nothingIsLost(ledger: LedgerEntry[], { main }: Streams): Promise<void> {
  const acknowledged = ledger.flatMap(({ id, startSeq, finishSeq }) =>
    [startSeq, finishSeq].flatMap((seq) => (seq ? [{ id, seq }] : [])),
  );
  const lost: string[] = [];
  for (let from = 0; from < acknowledged.length; from += 200) {
    await Promise.all(
      acknowledged.slice(from, from + 200).map(async ({ id, seq }) => {
        const stored = await main.direct.getMessage(STREAMS.builds, { seq });
        if (!stored?.string().includes(id)) lost.push(id);
      }),
    );
  }
  expect(acknowledged.length).toBeGreaterThan(ledger.length);
  expect(lost).toEqual([]);
}

/** Fails unless every build that runs can have a token, which every replica calls active. */
export async function everyRunningBuildHasAToken(
  ledger: LedgerEntry[],
  ci: Ci,
  system: TestSystem,
): Promise<void> {
  const running = ledger.filter(
    ({ startSeq, finishSeq }) => startSeq !== undefined && finishSeq === undefined,
  );
  expect(running.length).toBeGreaterThan(0);
  const hasToken = async ({ id }: LedgerEntry) => {
    const grant = await eventually(() => ci.askGrant(id).catch(() => undefined), `token of ${id}`);
    const token = grant.data.id_tokens['API_TOKEN'] as string;
    for (const at of PUBLISHERS)
      await eventually(async () => (await said(system, at, token)) === 'active', `yes of ${at}`);
  };
  for (let from = 0; from < running.length; from += AT_ONCE)
    await Promise.all(running.slice(from, from + AT_ONCE).map(hasToken));
}

/** Fails where a replica calls a token of a finished build active, among those that have not expired. */
export async function noFinishedBuildIsActive(ledger: LedgerEntry[], system: TestSystem): Promise<void> {
  const since = performance.now() - TELLING_MS;
  const finished = ledger.filter(
    ({ finishSeq, token, tokenAt = 0 }) => finishSeq !== undefined && token !== undefined && tokenAt > since,
  );
  expect(finished.length).toBeGreaterThan(0);
  const step = Math.max(1, Math.floor(finished.length / MOST_ASKED));
  const asked = finished.filter((_, index) => index % step === 0);
  const states: string[] = [];
  for (let from = 0; from < asked.length; from += AT_ONCE) {
    const questions = asked
      .slice(from, from + AT_ONCE)
      .flatMap(({ token }) => PUBLISHERS.map((at) => knownStateAt(system, at, token as string)));
    states.push(...(await Promise.all(questions)));
  }
  expect(states.filter((state) => state !== 'inactive')).toEqual([]);
}

async function knownStateAt(system: TestSystem, at: string, token: string): Promise<string> {
  return await eventually(async () => {
    const state = await said(system, at, token);
    return state !== 'unknown' && state;
  }, `answer of ${at}`);
}
