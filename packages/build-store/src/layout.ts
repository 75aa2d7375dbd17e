import type { AdmittedBuild } from '@mayfly/contracts/events';

/** Key of the mark of freshness. */
export const MARK_KEY = 'mark';

/** Key of the sorted set of running builds, by when somebody has to look whether they should end (ms). */
export const CHECKS_KEY = 'checks';

/** Bits of one status list. */
export const STATUS_LIST_BITS = 65_536;

/** Takes a source; gives the beginning of the keys of its status lists. */
export function statusListPrefix(source: string): string {
  return `status:{${source}}:`;
}

/** Takes a source and the sequence of a start; gives the key of its status list: bit `seq mod 2^16` is 1 while it runs. */
export function statusListKey(source: string, seq: number): string {
  return `${statusListPrefix(source)}${Math.floor(seq / STATUS_LIST_BITS)}`;
}

/** Takes a build's names; gives its member of the set of checks. */
export function checkMember(source: string, id: string): string {
  return `${source}/${id}`;
}

/** Takes a member of the set of checks; gives the build's names. */
export function readCheckMember(member: string): { source: string; id: string } {
  const slash = member.indexOf('/');
  return { source: member.slice(0, slash), id: member.slice(slash + 1) };
}

/** Key that names the replica of build-lifecycle that rebuilds the projection, while one does. */
export const REBUILDING_KEY = 'rebuilding';

/** Key of a build's record; the braces keep what belongs to one build together. */
export function buildKey(source: string, id: string): string {
  return `build:{${source}/${id}}`;
}

/** A finished build: which attempt, the sequence of its start, when it ended (ms) and why. */
type FinishedLife = { state: 'finished'; attempt: number; seq: number; finishedAt: number; reason: string };

/** Whether a build runs, without its facts: the first line of its record. */
export type BuildLife =
  | { state: 'running'; attempt: number; seq: number; startedAt: number; deadline: number }
  | FinishedLife;

/** What a record holds. */
export type BuildRecord =
  | { state: 'running'; attempt: number; seq: number; build: AdmittedBuild }
  | FinishedLife;

/**
 * Which BUILDS stream and which Redis process the projection is complete for, up to where each consumer had acknowledged,
 * and the first sequence that the stream still held. By Redis's clock (ms): as of when it was proven fresh, 0 where it was
 * not, and as of when somebody who knows it complete said so.
 */
export type Mark = {
  stream: string;
  runId: string;
  startsFloor: number;
  endsFloor: number;
  firstSeq: number;
  at: number;
  markedAt: number;
};

/** Takes the facts of an admitted build; gives them as they are stored: one JSON string, without what stands before it. */
export function writeFacts({ build, id_tokens, reply }: AdmittedBuild): string {
  return JSON.stringify({ build, id_tokens, reply });
}

/** Takes a time (ms); gives it as records hold it: in base 36, as there may be millions. */
export function writeTime(ms: number): string {
  return ms.toString(36);
}

/** Takes seconds and microseconds as Redis's TIME has them; gives ms since 1970. */
export function redisTime(seconds: string, micros: string): number {
  return Number(seconds) * 1000 + Math.floor(Number(micros) / 1000);
}

/** Takes a time as records have it; gives it in ms. */
export const readTime = (text: string | undefined) => Number.parseInt(text ?? '', 36);

/** Reasons that most builds end for, which records hold as their number here: one may be added at the end, and none moved. */
const REASONS = [
  ...['success', 'failure', 'finished', 'cancelled', 'canceled', 'error', 'deadline', 'heartbeat'],
  ...['operator', 'superseded', 'conflict', 'leak', 'skipped', 'passed', 'failed', 'aborted'],
];

/** Takes why a build ended; gives it as records hold it. No reason is made of digits. */
export function writeReason(reason: string): string {
  const number = REASONS.indexOf(reason);
  return number < 0 ? reason : String(number);
}

const readReason = (text: string) => (/^[0-9]+$/.test(text) ? REASONS[Number(text)] : text);

/** Takes the source and the text of a record; gives what it says. Throws a TypeError for anything else. */
export function readRecord(source: string, text: string): BuildRecord {
  const end = text.indexOf('\n');
  const line = end < 0 ? text : text.slice(0, end);
  const life = readLife(line);
  if (life?.state === 'finished') return life;
  const digest = line.split(' ')[5];
  if (!life || !digest) throw foreignRecord();
  const { state, startedAt, deadline, ...rest } = life;
  const facts = JSON.parse(text.slice(end + 1)) as Pick<AdmittedBuild, 'build' | 'id_tokens' | 'reply'>;
  return { state, ...rest, build: { source, ...facts, ...rest, digest, started_at: startedAt, deadline } };
}

/**
 * Takes the first line of a record, with spaces after it or the beginning of what it is cut off from; gives the life in
 * it, undefined where there is nothing but spaces. Throws a TypeError for anything else.
 */
export function readLife(line: string): BuildLife | undefined {
  const [state, attempt, seq, third, fourth] = line.split(' ', 5);
  const life = { attempt: Number(attempt), seq: Number(seq) };
  // The same is read of a running and a finished one, so that both take as long.
  const [at, deadline, reason] = [readTime(third), readTime(fourth), readReason(fourth ?? '')];
  if (state === 'r' && fourth) return { state: 'running', ...life, startedAt: at, deadline };
  if (state === 'f' && reason) return { state: 'finished', ...life, finishedAt: at, reason };
  if (state === '' && attempt === '') return undefined;
  throw foreignRecord();
}

function foreignRecord(): TypeError {
  return new TypeError('a record of a build is not one of ours');
}

/** Takes a mark; gives what its text is made of, in order, with spaces between. */
export function markFields(mark: Mark): (string | number)[] {
  const { stream, runId, startsFloor, endsFloor, firstSeq, at, markedAt } = mark;
  return [stream, runId, startsFloor, endsFloor, firstSeq, at, markedAt];
}

/** Takes the text of a mark; gives what it says, or undefined where there is none. */
export function readMark(text: string | null): Mark | undefined {
  const [stream, runId, ...numbers] = text?.split(' ') ?? [];
  if (!stream || !runId || numbers.length !== 5) return undefined;
  const [startsFloor, endsFloor, firstSeq, at, markedAt] = numbers.map(Number) as Numbers;
  return { stream, runId, startsFloor, endsFloor, firstSeq, at, markedAt };
}

type Numbers = [number, number, number, number, number];
