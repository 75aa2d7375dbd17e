import { decodeJwt } from 'jose';
import { requestText } from '../http-pool.ts';
import { AUDIENCES, type BenchSystem, benchSystem, startBuilds } from './bench-system.ts';
import { alone, type Figure, percentile, type Section } from './figure.ts';
import { introspectionRequest } from './introspection-requests.ts';
import type { Plan } from './plan.ts';
import { type Program, startProgram } from './program.ts';
import type { LiveBuild, RevocationJob, RevocationResult } from './program-revocation.ts';

const RATE = 500;
const WARM_UPS = 4;
const WAYS = [
  ['introspection', 'to `active:false`', 10],
  ['feed', 'to the feed', 10],
  ['statusList', 'to the status list', 1000],
] as const;

/** Measures how long after `build.finished` is published the token of the build is seen to be over. */
export async function revocation(plan: Plan): Promise<Section> {
  await using ours = await benchSystem();
  await using load = startProgram('./program-revocation.ts');
  const all: RevocationResult[] = [];
  const warmUps = Math.min(plan.warmUps, WARM_UPS);
  for (let round = 0; round < warmUps + plan.pacedRounds; round++) {
    all.push(await revokeSome(ours, load, `round-${round}`, Math.round(RATE * plan.pacedSeconds)));
  }
  const rounds = all.slice(warmUps);
  const failed = all.reduce((sum, one) => sum + one.failed, 0);
  const questions = rounds.reduce((sum, one) => sum + one.questions, 0);
  const cpu = rounds.reduce((sum, one) => sum + one.cpuSeconds, 0) / (plan.pacedSeconds * rounds.length);
  const figures = WAYS.flatMap(([way, words, most]): Figure[] => {
    const at = (part: number) => rounds.map((one) => percentile(one[way], part));
    return [alone(`${words}: p50`, 'ms', at(0.5)), alone(`${words}: p99`, 'ms', at(0.99), { atMost: most })];
  });
  const text = [
    `${RATE} builds a second end (ES256 tokens). Each token is introspected again and again from its end on, which makes ${Math.round(questions / (plan.pacedSeconds * rounds.length))} questions a second beside; the feed has one listener; the status list is asked for every 20 ms.`,
    `The generator, which asks and listens, took ${Math.round(cpu * 100)} % of a core. ${failed} ends were not seen where they should have been.`,
  ];
  const lines = WAYS.slice(0, 2).map(([way, words]) => ({
    name: words.replaceAll('`', ''),
    latencies: rounds.flatMap((one) => one[way]),
    isOurs: way === 'introspection',
  }));
  const plots = [{ kind: 'latency' as const, title: `Revocation at ${RATE} builds/s`, lines }];
  return { name: 'revocation', title: 'Revocation', text, figures, plots };
}

/** Starts builds and ends them, so many a second; gives how soon each was seen to be over. */
export async function revokeSome(
  ours: BenchSystem,
  load: Program,
  name: string,
  count: number,
  perSecond = RATE,
): Promise<RevocationResult> {
  const grants = await startBuilds(ours, name, count, AUDIENCES.ES256);
  const { ci, system, port } = ours;
  let list = '';
  const builds = grants.map(({ data }): LiveBuild => {
    const token = data.id_tokens['API_TOKEN'] as string;
    const { status } = decodeJwt<{ status: { status_list: { uri: string; idx: number } } }>(token);
    list = new URL(status.status_list.uri).pathname;
    return { id: data.id, question: introspectionRequest(ours, 'ES256', token), idx: status.status_list.idx };
  });
  const { servers, user, pass, inboxPrefix } = system.ciCredentials(ci.source);
  const job: RevocationJob = {
    login: { servers, user, pass, inboxPrefix },
    ...{ builds, perSecond, port: port('jwks-publisher') },
    listRequest: requestText(port('jwks-publisher'), `GET ${list}`),
    feedUrl: `${system.urlOf('jwks-publisher')}/${ci.source}/revocations`,
  };
  return await load.ask<RevocationResult>(job);
}
