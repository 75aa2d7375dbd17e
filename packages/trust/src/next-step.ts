import { ServiceError } from '@mayfly/contracts/errors';
import type { BuildStarted } from '@mayfly/contracts/events';
import { lifetimesOf, SHORTEST_LIFETIME_SECONDS } from '@mayfly/profiles/lifetime';
import type { Deployment } from './deployment.ts';
import { tokenOf, type Wish } from './token-of.ts';

type Asked = { deployment: Deployment; wish: Wish; match: RegExpExecArray };
type Step = (asked: Asked) => string;

const inPolicy = ({ deployment: { source, from } }: Asked, what: string) =>
  `sources.${source}.${what} in ${from.file}`;

/** What the issuer refuses, and what can be done about each. */
const STEPS: readonly (readonly [RegExp, Step])[] = [
  [/^builds of forks/, (one) => `set ${inPolicy(one, 'forks')} to allow, if forks shall have tokens`],
  [/^a build of this source may have/, (one) => `raise ${inPolicy(one, 'max_tokens')}`],
  [
    /^build is past its deadline/,
    (one) => `raise ${inPolicy(one, 'build_timeout')}, or data.build.timeout_seconds in the event`,
  ],
  [
    /^audience is missing/,
    () => 'name one with --audience AUDIENCE, or declare one in the event (data.id_tokens)',
  ],
  [
    /^audience names environment,/,
    () => 'have the CI send data.build.environment.name, or the variable in data.build.variables',
  ],
  [/^audience names/, () => 'have the CI send the variable in data.build.variables'],
  [/^audience must be/, () => 'ask for an audience that is written so'],
  [
    /^these audiences take/,
    (one) =>
      `ask for one token each, or set the same algorithm for both under ${inPolicy(one, 'algorithms')}`,
  ],
  [
    /^a token of this source has one audience/,
    ({ deployment: { profile } }) =>
      `ask for one token for each audience: tokens of the profile ${profile.name} have one`,
  ],
  [
    /^audience is not allowed/,
    (one) => `add it to ${inPolicy(one, 'audiences')}, or ask for one that is there`,
  ],
  [/^lifetime must be/, lifetimeStep],
  [
    /^optional claim is not allowed/,
    (one) => `ask for one that is allowed, or add it to ${inPolicy(one, 'optional_claims')}`,
  ],
  [/is no optional claim of this source/, optionalStep],
  [/^subject_claim is not allowed/, subjectStep],
  [/^subject_claim must be/, () => 'ask for one of those with --subject-claim'],
  [/^session tag is not allowed/, tagStep],
  [
    /cannot be a tag for AWS/,
    () => 'ask for another claim with --aws-session-tag, or have the CI send it without them',
  ],
  [/^a token has at most 50/, () => 'ask for fewer with --aws-session-tag'],
  [/session tag$/, () => 'ask for another claim with --aws-session-tag, or for none'],
  [/^subject has/, (one) => `${otherSubject(one)}, or have the CI send shorter names`],
  [/^build fits none/, (one) => `${otherSubject(one)}, or have the CI send what one of them is made of`],
  [
    /^build lacks (.*)$/,
    ({ match }) => `have the CI send data.build.${(match[1] ?? '').replaceAll(' or ', ' or data.build.')}`,
  ],
  [/^build must have a whole number/, () => 'have the CI send a number there'],
  [/^build holds text/, () => 'have the CI send text in well-formed Unicode'],
  [
    /^build does not say enough of its fork/,
    () => 'have the CI send data.build.source_repository, with its id and name',
  ],
  [
    /^claims have/,
    () => 'have the CI send less in what those are made from, or ask for fewer optional claims',
  ],
];

/** Takes what the issuer refused, the deployment and the wish; gives what to do next. */
export function nextStep({ message }: ServiceError, deployment: Deployment, wish: Wish): string {
  for (const [pattern, step] of STEPS) {
    const match = pattern.exec(message);
    if (match) return step({ deployment, wish, match });
  }
  return `ask for what is allowed, or allow it under sources.${deployment.source} in ${deployment.from.file}`;
}

/** As `tokenOf`; what the issuer would refuse is told with what to do next. */
export function tokenOrNext(
  deployment: Deployment,
  event: BuildStarted,
  wish: Wish,
  now: number,
): ReturnType<typeof tokenOf> {
  try {
    return tokenOf(deployment, event, wish, now);
  } catch (error) {
    if (!(error instanceof ServiceError)) throw error;
    const told = `${error.message}: ${nextStep(error, deployment, wish)}`;
    throw new ServiceError(error.code, told, { cause: error });
  }
}

function lifetimeStep(one: Asked): string {
  const { longest } = lifetimesOf(one.deployment.policy);
  const asked = one.wish.lifetimeSeconds ?? 0;
  if (asked > longest)
    return `ask for ${longest} or less with --lifetime, or raise ${inPolicy(one, 'max_lifetime')}`;
  return `ask for ${SHORTEST_LIFETIME_SECONDS} or more with --lifetime, or for none in particular`;
}

function optionalStep({ deployment: { profile } }: Asked): string {
  const names = profile.optionalClaims.map(({ name }) => name);
  return names.length > 0
    ? `ask for one of ${names.join(', ')} with --claim`
    : `the profile ${profile.name} has none: leave --claim out`;
}

function subjectStep(one: Asked): string {
  const { profile } = one.deployment;
  const names = [...profile.subject.alternates.keys()].join(', ');
  return profile.subject.requestable.length > 0
    ? `ask for one that is allowed, or add it to ${inPolicy(one, 'subject_claims')}`
    : `builds of the profile ${profile.name} cannot ask: set ${inPolicy(one, 'subject')} to one of ${names}`;
}

function tagStep(one: Asked): string {
  const { profile } = one.deployment;
  return profile.sessionTags
    ? `ask for one that is allowed, or add it to ${inPolicy(one, 'session_tags')}`
    : `the profile ${profile.name} has no session tags: leave --aws-session-tag out`;
}

function otherSubject(one: Asked): string {
  const { subject, name } = one.deployment.profile;
  const usual = one.wish.subjectClaim ?? one.deployment.policy.subject ?? subject.default;
  const others = [...subject.alternates.keys()].filter((other) => other !== usual);
  if (others.length === 0)
    return `give a copy of the profile ${name} another subject, and name it in mayfly.yaml`;
  const asked = others.filter((other) => subject.requestable.includes(other));
  const ask = asked.length > 0 ? `ask for another with --subject-claim ${asked.join(' or ')}, or ` : '';
  return `${ask}set ${inPolicy(one, 'subject')} to ${others.join(' or ')}`;
}
