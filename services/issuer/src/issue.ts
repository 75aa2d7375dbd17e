import { type BuildReader, runningBuild } from '@mayfly/build-store/reader';
import { type BuildReference, writeBuildReference } from '@mayfly/contracts/build-reference';
import { ServiceError } from '@mayfly/contracts/errors';
import type { AdmittedBuild } from '@mayfly/contracts/events';
import { issuerUrl } from '@mayfly/contracts/issuer-url';
import { POLICY_DEFAULTS, type SourcePolicy } from '@mayfly/contracts/policy';
import { MAX_CLOCK_OFFSET_MS } from '@mayfly/contracts/signing';
import { statusReference } from '@mayfly/contracts/status-list';
import { checkBudget, decide, type TokenRequest } from '@mayfly/profiles/decide';
import { namesOf, type WatchedName } from '@mayfly/profiles/names';
import type { Profile } from '@mayfly/profiles/profile';
import type { Budget } from './budget.ts';
import type { Names } from './names.ts';
import type { Signer } from './signer.ts';

/** What a source's tokens are made by, and which names in them must not pass from one to another. */
export type Source = { policy: SourcePolicy; profile: Profile; watched: readonly WatchedName[] };

/** What issuing needs: the builds, the sources, whose the names are, who signs, the time (ms), a monotonic clock (ms) and new ids. */
export type Issuer = {
  builds: Pick<BuildReader, 'find' | 'last' | 'forget'>;
  sources: ReadonlyMap<string, Source>;
  names: Names;
  signer: Signer;
  budget: Budget;
  baseUrl: string;
  now(): number;
  clock(): number;
  newId(): string;
};

/** What a runner or a CI may ask for. */
export type Wish = Pick<
  TokenRequest,
  'audience' | 'lifetimeSeconds' | 'optionalClaims' | 'subjectClaim' | 'awsSessionTags'
>;

/** An issued ID token, when it expires (s since 1970), and which of the build's tokens it is, where it was counted. */
export type Issued = {
  token: string;
  jti: string;
  audience: unknown;
  expiresAt: number;
  counted?: number | undefined;
};

/** How far `nbf` lies before `iat` where the profile does not say: the skew that is allowed for, seconds. */
const SKEW_SECONDS = 30;

/** A build that was found running, the stream that it came by, and when it was asked for (ms), by the time and by the monotonic clock. */
export type Running = { build: AdmittedBuild; stream: string; asked: Moment };

type Moment = { now: number; clock: number };

/** For how long a build that was found running is taken to run, ms: longer than all that has to be asked for a token may take. */
const RUNNING_FOR_MS = 2500;
const LONG_AGO: Moment = { now: Number.NEGATIVE_INFINITY, clock: Number.NEGATIVE_INFINITY };

/**
 * Issues an ID token for a build that was found running, now or (`issue-ahead.ts`) before: decides by policy and profile
 * what it says, sees that its names are its own and that it has not had too many, and has it signed. The tokens that it
 * declared are its first, which nobody has to count: `declared` says which of them this is. Throws a ServiceError that says what is allowed, or `temporarily_unavailable`.
 */
export async function issueToken(
  { build, stream }: Running,
  wish: Wish,
  issuer: Issuer,
  declared?: number,
): Promise<Issued> {
  const source = issuer.sources.get(build.source);
  if (!source) throw new ServiceError('access_denied', 'the source is not in mayfly.yaml');
  const { source: name, seq } = build;
  const jti = `${lifeOf(build)}.${issuer.newId()}`;
  const request = { ...wish, now: Math.floor(issuer.now() / 1000), jti, skewSeconds: SKEW_SECONDS };
  const { alg, claims, json } = decide(source.policy, source.profile, build, request);
  const names = namesOf(source.watched, build);
  // Not to wait where they are known: what is at hand for a build that is not found again yet is taken before others see it.
  if (!issuer.names.isKnown(name, names)) await issuer.names.confirm(name, names);
  const counted = declared === undefined ? await countToken(build, source.policy, issuer) : undefined;
  checkBudget(source.policy, declared ?? declaredBy(build) + (counted as number));
  const status_list = statusReference(issuerUrl(issuer.baseUrl, name), Date.parse(stream), seq);
  const toSign = { source: name, alg, json: withMember(json, 'status', { status_list }) };
  const token = await issuer.signer.sign(toSign).catch((error: unknown) => {
    giveBack(build, counted, issuer);
    throw error;
  });
  return { token, jti, audience: claims['aud'], expiresAt: claims['exp'] as number, counted };
}

/**
 * Says whether what was just made for a build may be handed over: a process, or a machine, that was paused after it found the
 * build has it signed after an end of which it has not heard. By both clocks, as one of them may stand still meanwhile.
 */
export function isJustFound({ asked }: Running, issuer: Pick<Issuer, 'now' | 'clock'>): boolean {
  return Math.max(issuer.now() - asked.now, issuer.clock() - asked.clock) <= RUNNING_FOR_MS;
}

/** What whoever asked is told where it is not. */
export const foundTooLongAgo = () =>
  new ServiceError(
    'temporarily_unavailable',
    'making the token took too long to know that the build still runs',
  );

/** Gives back a token that was counted and that nobody gets: whoever asks again while there is trouble loses nothing by it. */
export function giveBack(build: AdmittedBuild, counted: number | undefined, issuer: Issuer): void {
  if (counted !== undefined) issuer.budget.giveBack(lifeOf(build), counted);
}

/** Has the next tokens of a build counted where it got the last that were: to be told once it got one. */
export function countAhead(build: AdmittedBuild, issuer: Issuer): void {
  const policy = issuer.sources.get(build.source)?.policy;
  if (policy) issuer.budget.countAhead(lifeOf(build), build.deadline, mostTokens(policy));
}

const lives = new WeakMap<AdmittedBuild, string>();

/** Gives the reference of a build's life as one word, worked out once for each build that is found. */
function lifeOf(build: AdmittedBuild): string {
  const { source, attempt } = build;
  const known = lives.get(build);
  if (known !== undefined) return known;
  const life = writeBuildReference({ source, id: build.build.id, attempt });
  lives.set(build, life);
  return life;
}

const mostTokens = ({ max_tokens }: SourcePolicy) => max_tokens ?? POLICY_DEFAULTS.max_tokens;
const declaredBy = ({ id_tokens = {} }: AdmittedBuild) => Object.keys(id_tokens).length;

/** Takes an object as JSON that has a member; gives it with one more. */
function withMember(json: string, name: string, value: unknown): string {
  return `${json.slice(0, -1)},${JSON.stringify(name)}:${JSON.stringify(value)}}`;
}

/** Counts a token that was asked for; gives how many the build had asked for before. */
async function countToken(build: AdmittedBuild, policy: SourcePolicy, issuer: Issuer) {
  return await issuer.budget.take(lifeOf(build), build.deadline, mostTokens(policy));
}

/**
 * Takes a build's names; gives the build if it ran when it was last found here, which says nothing of now, and if a token of
 * it takes no write and no question but to the signer: what may be begun with before it is found again.
 */
export function lastFound(reference: BuildReference, issuer: Issuer): Running | undefined {
  const last = issuer.builds.last(reference);
  const build = last && runningBuild({ ...last, now: issuer.now() }, reference.attempt);
  const source = issuer.sources.get(reference.source);
  if (!build || !source || !issuer.budget.isAtHand(lifeOf(build))) return undefined;
  const isKnown = issuer.names.isKnown(reference.source, namesOf(source.watched, build));
  return isKnown ? { build, stream: last.stream, asked: LONG_AGO } : undefined;
}

/**
 * Takes a build's names; gives the build if it runs now, undefined if not. Throws `temporarily_unavailable`, also while
 * our clock and Redis's are too far apart to say when a token expires.
 */
export async function findRunning(reference: BuildReference, issuer: Issuer): Promise<Running | undefined> {
  const asked = { now: issuer.now(), clock: issuer.clock() };
  const known = await issuer.builds.find(reference);
  if (Math.abs(issuer.now() - known.now) > MAX_CLOCK_OFFSET_MS) {
    throw new ServiceError('temporarily_unavailable', 'the clocks are too far apart');
  }
  const build = runningBuild(known, reference.attempt);
  return build && { build, stream: known.stream, asked };
}
