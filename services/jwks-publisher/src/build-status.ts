import type { KnownLife, LifeReader } from '@mayfly/build-store/life-reader';
import type { SourcePolicy } from '@mayfly/contracts/policy';
import type { RelyingParty } from './credentials.ts';

/** What a build is now: running until a deadline, or finished for a reason; times in seconds since 1970. */
export type BuildStatus =
  | { id: string; attempt: number; state: 'running'; started_at: number; deadline: number }
  | { id: string; attempt: number; state: 'finished'; finished_at: number; reason: string };

/** The builds of one source, and what its policy lets its tokens be meant for. */
export type BuildStatusReader = {
  source: string;
  policy: SourcePolicy;
  builds: LifeReader;
};

/**
 * Says what a build is, for a relying party that can be shown tokens of its source; undefined where there is none, or
 * nobody may show it one. Throws `temporarily_unavailable` where the state of builds is not known.
 */
export async function readBuildStatus(
  id: string,
  { audiences }: RelyingParty,
  { source, policy, builds }: BuildStatusReader,
): Promise<BuildStatus | undefined> {
  const known = await builds.find({ source, id });
  const mayKnow = [...audiences].some((audience) => canBeMeantFor(policy, audience));
  return mayKnow ? statusOf(id, known) : undefined;
}

function statusOf(id: string, { life, now }: KnownLife): BuildStatus | undefined {
  if (!life) return undefined;
  const { attempt } = life;
  if (life.state === 'finished') {
    return { id, attempt, state: 'finished', finished_at: seconds(life.finishedAt), reason: life.reason };
  }
  const { startedAt, deadline } = life;
  if (now >= deadline) {
    return { id, attempt, state: 'finished', finished_at: seconds(deadline), reason: 'deadline' };
  }
  return { id, attempt, state: 'running', started_at: seconds(startedAt), deadline: seconds(deadline) };
}

function canBeMeantFor({ audiences, repository_audiences }: SourcePolicy, audience: string): boolean {
  return [audiences, ...Object.values(repository_audiences ?? {})]
    .flat()
    .some((allowed) =>
      allowed.endsWith('*') ? audience.startsWith(allowed.slice(0, -1)) : audience === allowed,
    );
}

const seconds = (ms: number) => Math.floor(ms / 1000);
