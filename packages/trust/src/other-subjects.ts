import { ServiceError } from '@mayfly/contracts/errors';
import type { BuildStarted } from '@mayfly/contracts/events';
import type { Deployment } from './deployment.ts';
import { kindOf } from './kind-of-build.ts';
import { nearMisses } from './near-misses.ts';
import type { Wish } from './token-of.ts';
import type { Target, TrustNames } from './trust.ts';
import type { TriedWidening } from './widenings.ts';

/**
 * Takes a relying party that compares whole subjects, and what a policy is made of; gives each other subject that the
 * source could have, with who shares it and does not share this one.
 */
export function ofOtherSubjects(
  target: Target,
  deployment: Deployment,
  event: BuildStarted,
  { subjectClaim, ...wish }: Wish,
  names: TrustNames,
  now: number,
): TriedWidening[] {
  const { profile, policy, source, from } = deployment;
  const sharing = (subject: string) => {
    const other = { ...deployment, policy: { ...policy, subject } };
    const kind = kindOf(other, event, wish, now);
    const { judge } = target.make(kind, names);
    const shared = nearMisses(other, event, wish, now).filter(
      ({ claims }) => claims && judge(claims).admitted === true,
    );
    return { subject: kind.subject, shared: shared.map(({ name }) => name) };
  };
  const usual = subjectClaim ?? policy.subject ?? profile.subject.default;
  const before = new Set(sharing(usual).shared);
  return [...profile.subject.alternates.keys()].flatMap((name): TriedWidening[] => {
    try {
      if (name === usual) return [];
      const { subject, shared } = sharing(name);
      const tried = shared.filter((one) => !before.has(one));
      if (tried.length === 0) return [];
      const how = profile.subject.requestable.includes(name) ? `--subject-claim ${name}, or ` : '';
      const change = `the subject ${subject} (${how}sources.${source}.subject: ${name} in ${from.file})`;
      return [{ change, admits: `${tried.join(', ')}, which have the same`, tried }];
    } catch (error) {
      if (error instanceof ServiceError) return [];
      throw error;
    }
  });
}
