import { requestText } from '../http-pool.ts';
import { API, forgedToken } from '../introspect-callers.ts';
import { requestToken } from '../relying-party.ts';
import { startProgram } from './program.ts';
import type { FloodJob, FloodResult } from './program-flood.ts';
import type { HttpJob, HttpResult } from './program-http.ts';
import { type Paced, paced, trimmed, welch } from './publisher-figures.ts';
import type { Ask, Rig } from './publisher-rig.ts';

const TOKENS = 100;
const HONEST_A_SECOND = 100;
const KEY_SETS_A_SECOND = 20;
const HOSTILE_A_SECOND = 2000;
/** How long a token lives that is to expire, and until it has, seconds. */
const SHORT_SECONDS = 10;

/** Introspection of live tokens at 1,000 a second, asked by a process of its own. */
export async function introspection({ question, liveTokens }: Rig, seconds: number): Promise<Paced> {
  const questions = (await liveTokens('load', TOKENS)).map((token) => question(token));
  const port = Number(new URL(questions[0]?.url ?? '').port);
  const requests = questions.map(({ url, headers = {}, body = '' }) =>
    requestText(port, `POST ${new URL(url).pathname}`, headers, body),
  );
  await using load = startProgram('./program-http.ts');
  const job: HttpJob = { port, requests, connections: 16, seconds, perSecond: 1000 };
  await load.ask<HttpResult>({ ...job, perSecond: 200, seconds: 1 });
  const { latencies, failed } = await load.ask<HttpResult>(job);
  return {
    latencies,
    statuses: new Map([
      [200, latencies.length - failed],
      [503, failed],
    ]),
  };
}

/** Honest questions and key sets, beside many more from other addresses, of a process of its own, that are not honest. */
export async function floods(
  { system, publisher, ask, question, liveTokens }: Rig,
  seconds: number,
): Promise<{ honest: Paced; keySets: Paced; hostile: FloodResult }> {
  const [token = ''] = await liveTokens('honest', 1);
  const issuer = `${system.baseUrl}/acme`;
  const { kid = '' } = JSON.parse(Buffer.from(token.split('.')[0] ?? '', 'base64url').toString()) as {
    kid?: string;
  };
  const [unknown, forged] = await Promise.all([forgedToken('no-such-key', issuer), forgedToken(kid, issuer)]);
  const guess = { authorization: 'Basic YXBpOmd1ZXNz' };
  const shots: Ask[] = [
    question(unknown),
    question(forged),
    { ...question(token), headers: { ...question(token).headers, ...guess } },
    { ...question('x'.repeat(17_000)) },
    { url: `${publisher}/acme/builds/x`, headers: guess },
    { url: `${publisher}/acme/status-lists/1-0` },
  ];
  await using flood = startProgram('./program-flood.ts');
  const job: FloodJob = { shots, perSecond: HOSTILE_A_SECOND, seconds: seconds + 1 };
  const hostile = flood.ask<FloodResult>(job);
  await new Promise((resolve) => setTimeout(resolve, 500));
  const [honest, keySets] = await Promise.all([
    paced(HONEST_A_SECOND, seconds, () => ask(question(token))),
    paced(KEY_SETS_A_SECOND, seconds, () => ask({ url: `${publisher}/acme/jwks` })),
  ]);
  return { honest, keySets, hostile: await hostile };
}

/** Welch's t of the time of each two kinds of tokens that have a good signature and are not active, asked at random. */
export async function timing(rig: Rig, samples: number): Promise<{ pair: string; t: number }[]> {
  const { ci, system, ask, question, liveTokens } = rig;
  const [finished = ''] = await liveTokens('over', 1);
  await ci.finish('over-0');
  const [running = ''] = await liveTokens('runs', 1);
  const query = `audience=${API}&lifetime=${SHORT_SECONDS}`;
  const expiring = await requestToken(system, await ci.heard('runs-0'), query);
  await new Promise((resolve) => setTimeout(resolve, (SHORT_SECONDS + 1) * 1000));
  const kinds: [string, Ask][] = [
    ['finished', question(finished)],
    ['foreign', question(running, 'aws')],
    ['expired', question(expiring.body['value'] as string)],
  ];
  const took = new Map(kinds.map(([kind]) => [kind, [] as number[]]));
  for (let round = 0; round < samples; round++) {
    for (const [kind, shot] of shuffled(kinds)) took.get(kind)?.push((await ask(shot)).ms);
  }
  return kinds.flatMap(([one], index) =>
    kinds.slice(index + 1).map(([other]) => {
      const [a, b] = [one, other].map((kind) => trimmed(took.get(kind) ?? [])) as [number[], number[]];
      return { pair: `${one} against ${other}`, t: welch(a, b) };
    }),
  );
}

/** In a new order each time: what comes first in a round is not always the same kind. */
function shuffled<T>(all: readonly T[]): T[] {
  return all
    .map((one) => ({ one, at: Math.random() }))
    .sort((a, b) => a.at - b.at)
    .map(({ one }) => one);
}
