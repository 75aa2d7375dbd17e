import type { BuildStarted } from '@mayfly/contracts/events';
import { CHANGES, type Change, NEXT, SAME_KIND, swapCase } from './changed-builds.ts';
import type { Deployment } from './deployment.ts';
import { type TokenClaims, tokenOf, type Wish } from './token-of.ts';

/** A build that is nearly the same, and its token; undefined where such a build gets none. */
export type NearMiss = {
  name: string;
  claims: TokenClaims | undefined;
  /** What in it no build of the source has; its own subject in another case is nobody's at all. */
  isForged?: 'issuer' | 'audience' | 'subject';
  /** Whether it may well be let in with the build: the same code, at another time or place. */
  isSameKind?: true;
  /** Whether it must be: it is the next build. */
  isNext?: true;
};

/**
 * Takes a deployment, an event, a wish and the time (s); gives the tokens of builds that are nearly the same, which a
 * policy for exactly this kind of build must refuse, and of the next build, which it must not. A fork's is there even where `mayfly.yaml` denies it: policies
 * outlive each other.
 */
export function nearMisses(deployment: Deployment, event: BuildStarted, wish: Wish, now: number): NearMiss[] {
  const own = claimsOr(deployment, event, wish, now);
  if (!own) return [];
  const lenient = deployment.profile.forkClaim
    ? { ...deployment, policy: { ...deployment.policy, forks: 'allow' as const } }
    : deployment;
  const changed = (changes: Readonly<Record<string, Change>>) =>
    Object.entries(changes).flatMap(([name, change]): NearMiss[] => {
      const build = change(event.data.build);
      if (!build) return [];
      return [{ name, claims: claimsOr(lenient, { ...event, data: { ...event.data, build } }, wish, now) }];
    });
  // What no claim tells is no other kind of token at all.
  const sameKind = changed(SAME_KIND)
    .filter(({ claims }) => JSON.stringify(claims) !== JSON.stringify(own))
    .map((one) => ({ ...one, isSameKind: true as const }));
  const next = changed(NEXT).map((one) => ({ ...one, isSameKind: true as const, isNext: true as const }));
  return [...changed(CHANGES), ...next, ...sameKind, ...forged(own)];
}

function claimsOr(deployment: Deployment, event: BuildStarted, wish: Wish, now: number) {
  try {
    return tokenOf(deployment, event, wish, now).claims;
  } catch {
    return undefined;
  }
}

/** What a build cannot be, but a token of somebody else can. */
function forged(own: TokenClaims): NearMiss[] {
  const several = Array.isArray(own['aud']);
  const aud = several ? ['https://elsewhere.example'] : 'https://elsewhere.example';
  const iss = String(own['iss']).replace(/[^/]*$/, 'other');
  const sub = swapCase(String(own['sub']));
  return [
    { name: 'another source', claims: { ...own, iss }, isForged: 'issuer' },
    { name: 'another issuer', claims: { ...own, iss: 'https://issuer.evil.example/ci' }, isForged: 'issuer' },
    { name: 'another audience', claims: { ...own, aud }, isForged: 'audience' },
    { name: 'a subject that differs by case', claims: { ...own, sub }, isForged: 'subject' },
  ];
}
