import { type Judge, judge, type RunningBuild } from './active.ts';
import type { Caller } from './callers.ts';
import type { OnceStore } from './once.ts';

/** A question about a token (RFC 7662 §2.1), and whether this is the one time that it may be used. */
export type Question = { token: string; isOneTime: boolean };

/** The answer (RFC 7662 §2.2): everything about an active token, undefined for any other; and whether we signed it. */
export type Introspection = { active: Record<string, unknown> | undefined; isOurs: boolean };

/**
 * Says whether a token is active, for a relying party that asks. Asked for one time, it also consumes the token's `jti`,
 * and says no when that was done before. Throws `temporarily_unavailable` where it cannot know.
 */
export async function introspect(
  { token, isOneTime }: Question,
  { audiences, budget }: Caller,
  judged: Judge,
  once: OnceStore,
): Promise<Introspection> {
  const judgement = await judge(token, (audience) => audiences.has(audience), judged, budget);
  if (!judgement.active) return { active: undefined, isOurs: judgement.isOurs };
  const { claims, build } = judgement;
  if (isOneTime && !(await once.consume(judged.source, claims))) return { active: undefined, isOurs: true };
  return { active: { ...claims, active: true, build: factsOf(build) }, isOurs: true };
}

function factsOf({ id, attempt, startedAt, deadline }: RunningBuild) {
  return {
    id,
    attempt,
    started_at: Math.floor(startedAt / 1000),
    deadline: Math.floor(deadline / 1000),
  };
}
