import { type LifeReader, runningLife } from '@mayfly/build-store/life-reader';
import { type BuildReference, readBuildReference } from '@mayfly/contracts/build-reference';
import { ServiceError } from '@mayfly/contracts/errors';
import type { KeySets } from './key-sets.ts';
import type { Budget, IdTokenClaims, TokenReader } from './token.ts';

/** What it takes to say whether a token is active: the issuer's keys, who reads its tokens, and the builds with the time. */
export type Judge = {
  source: string;
  issuer: string;
  keySets: Pick<KeySets, 'get' | 'isConfirmed'>;
  readToken: TokenReader;
  builds: LifeReader;
};

/** A build that runs: its name and attempt, since when and until when at most (ms). */
export type RunningBuild = { id: string; attempt: number; startedAt: number; deadline: number };

/** What a token is now: active, with what it says and its build; or not, and then whether anyone of ours signed it. */
export type Judgement =
  | { active: true; claims: IdTokenClaims; build: RunningBuild }
  | { active: false; isOurs: boolean };

/**
 * Says whether `token` is active for whoever takes these audiences: signed by this issuer, meant for one of them, within
 * its times, and of a build that runs now. All tokens with a good signature take the same path. Throws
 * `temporarily_unavailable` where the keys or the state of builds are not known, `slow_down` where the budget is spent.
 */
export async function judge(
  token: string,
  isAudience: (audience: string) => boolean,
  { source, issuer, keySets, readToken, builds }: Judge,
  budget?: Budget,
): Promise<Judgement> {
  const keySet = keySets.get(source);
  if (!keySet || !keySets.isConfirmed(source)) {
    throw new ServiceError('temporarily_unavailable', 'the signing keys are not known just now');
  }
  const read = readToken(token, issuer, keySet, budget);
  if (typeof read === 'string') return { active: false, isOurs: false };

  const { claims } = read;
  const isMeant = [claims.aud ?? []].flat().some((audience) => isAudience(audience));
  const reference = referenceOf(claims, source);
  const known = await builds.find(reference);
  const life = runningLife(known, reference.attempt);
  // By Redis's clock, which all replicas share: one whose own is behind takes no token longer than the others.
  const time = Math.floor(known.now / 1000);
  const isInTime = claims.nbf <= time && time < claims.exp;
  if (!life || !isMeant || !isInTime) return { active: false, isOurs: true };
  const { attempt, startedAt, deadline } = life;
  return { active: true, claims, build: { id: reference.id, attempt, startedAt, deadline } };
}

// No build has an empty id: a token that names none is looked for like every other.
function referenceOf({ jti }: IdTokenClaims, source: string): BuildReference {
  const reference = readBuildReference(jti.slice(0, Math.max(jti.indexOf('.'), 0)));
  return reference?.source === source ? reference : { source, id: '', attempt: 1 };
}
