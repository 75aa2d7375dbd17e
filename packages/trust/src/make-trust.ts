import { ServiceError } from '@mayfly/contracts/errors';
import type { BuildStarted } from '@mayfly/contracts/events';
import { audiencesFor, matches } from '@mayfly/profiles/audience';
import type { Deployment } from './deployment.ts';
import { type Kind, kindOf } from './kind-of-build.ts';
import { type NearMiss, nearMisses } from './near-misses.ts';
import { otherSubject } from './subject-fit.ts';
import type { Wish } from './token-of.ts';
import type { Target, Trust, TrustNames, Widening } from './trust.ts';

/** What was made for one kind of build, and what the relying party says under it to builds that are nearly the same. */
export type MadeTrust = {
  kind: Kind;
  trust: Trust;
  checked: { name: string; verdict: 'refused' | 'admitted' | 'gets no token' }[];
};

/**
 * Takes a relying party, a deployment, an event, a wish, names and the time (s); gives the texts that admit exactly
 * this kind of build, tried on builds that are nearly the same. Throws a ServiceError that says what to do where the
 * build gets no token, or the relying party cannot take it.
 */
export function makeTrust(
  target: Target,
  deployment: Deployment,
  event: BuildStarted,
  given: Wish,
  names: TrustNames,
  now: number,
): MadeTrust {
  const wish = { ...given, audience: given.audience ?? audienceFor(target, deployment, event) };
  const kind = kindOf(deployment, event, wish, now);
  requireVisible(kind);
  const trust = target.make(kind, names);
  const own = trust.judge(kind.claims);
  if (own.admitted !== true)
    throw new TypeError(`what was made refuses the build itself: ${own.reasons.join('; ')}`);
  const others = nearMisses(deployment, event, wish, now);
  const checked = others.map(({ name, claims }) => {
    if (!claims) return { name, verdict: 'gets no token' as const };
    return {
      name,
      verdict: trust.judge(claims).admitted === false ? ('refused' as const) : ('admitted' as const),
    };
  });
  return { kind, trust: { ...trust, widen: trust.widen.map((one) => tried(one, kind, others)) }, checked };
}

/** What is pasted must be what is seen. */
function requireVisible(kind: Kind): void {
  const texts = [kind.subject, kind.audience, ...kind.pins.map(({ value }) => value)];
  if (!texts.some((text) => /[\p{C}\p{Zl}\p{Zp}]/u.test(text))) return;
  throw new ServiceError(
    'invalid_request',
    `the token holds signs that cannot be seen, and so could not be pasted safely: ${otherSubject(kind)}`,
  );
}

/** Adds to a widening who of the others gets in by it. */
function tried(widening: Widening, { issuer, audience }: Kind, others: readonly NearMiss[]): Widening {
  const { takes } = widening;
  if (!takes) return widening;
  const found = others.filter(
    ({ claims }) =>
      claims?.['iss'] === issuer && [claims['aud']].flat().includes(audience) && takes(String(claims['sub'])),
  );
  if (found.length === 0) return widening;
  return {
    ...widening,
    admits: `${widening.admits}; among them ${found.map(({ name }) => name).join(', ')}`,
  };
}

function audienceFor(
  { audience: { usual, fits } }: Target,
  { policy, source, from }: Deployment,
  event: BuildStarted,
): string {
  const declared = Object.values(event.data.id_tokens ?? {}).flatMap(({ aud }) => aud);
  const allowed = audiencesFor(policy, event.data.build);
  const fitting = [...declared, ...allowed].find((one) => fits.test(one) && !one.endsWith('*'));
  const found = fitting ?? usual ?? (declared.length === 1 ? declared[0] : undefined);
  if (found === undefined)
    throw new ServiceError(
      'invalid_target',
      `it is not clear for which audience: name it with --audience (${from.file} allows ${allowed.join(', ')})`,
    );
  if (fitting === undefined && !allowed.some((pattern) => matches(pattern, found)))
    throw new ServiceError(
      'invalid_target',
      `${from.file}:${from.lineOf(['sources', source, 'audiences'])} does not allow the audience ${found}: add it there, or name another with --audience`,
    );
  return found;
}
