import { ServiceError } from '@mayfly/contracts/errors';
import type { BuildStarted } from '@mayfly/contracts/events';
import { audiencesFor, matches } from '@mayfly/profiles/audience';
import type { Deployment } from './deployment.ts';
import { requireNoneEmpty } from './fitting-names.ts';
import { type Kind, kindOf } from './kind-of-build.ts';
import { nearMisses } from './near-misses.ts';
import { ofOtherSubjects } from './other-subjects.ts';
import { otherSubject } from './subject-fit.ts';
import type { TokenClaims, Wish } from './token-of.ts';
import type { Target, Trust, TrustNames } from './trust.ts';
import { type TriedWidening, triedWidenings } from './widenings.ts';

/**
 * What was made for one kind of build, and what the relying party says under it to builds that are nearly the same:
 * `same kind` to those that are admitted and may be.
 */
export type MadeTrust = {
  kind: Kind;
  trust: Trust;
  checked: { name: string; verdict: 'refused' | 'admitted' | 'same kind' | 'gets no token' }[];
  widen: TriedWidening[];
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
  requireNoneEmpty(names);
  const wish = { ...given, audience: given.audience ?? audienceFor(target, deployment, event) };
  const kind = kindOf(deployment, event, wish, now);
  requireVisible(kind);
  const trust = target.make(kind, names);
  requireAdmitted(trust, kind.claims, 'the build itself');
  const others = nearMisses(deployment, event, wish, now);
  for (const { name, claims, isNext } of others) if (isNext && claims) requireAdmitted(trust, claims, name);
  const checked = others.map(({ name, claims, isSameKind }): MadeTrust['checked'][number] => {
    if (!claims) return { name, verdict: 'gets no token' };
    if (trust.judge(claims).admitted === false) return { name, verdict: 'refused' };
    return { name, verdict: isSameKind ? 'same kind' : 'admitted' };
  });
  const more = target.comparesSubjects ? ofOtherSubjects(target, deployment, event, wish, names, now) : [];
  return { kind, trust, checked, widen: [...triedWidenings(kind, trust, others), ...more] };
}

function requireAdmitted({ judge }: Trust, claims: TokenClaims, name: string): void {
  const { admitted, reasons } = judge(claims);
  if (admitted !== true) throw new TypeError(`what was made refuses ${name}: ${reasons.join('; ')}`);
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
