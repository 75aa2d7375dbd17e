import { factsOf } from '@mayfly/profiles/facts';
import type { Profile } from '@mayfly/profiles/profile';
import { PROFILES_DIR, readProfile, SHIPPED_PROFILES } from '@mayfly/profiles/read';
import { type CheckedPolicy, checkPolicy } from '@mayfly/trust/check-policy';
import { isUserControlled, pathsOfClaim } from '@mayfly/trust/claim-origins';
import { issuerOf } from '@mayfly/trust/deployment';
import { readForm } from '@mayfly/trust/inspect-form';
import { type NearMiss, nearMisses } from '@mayfly/trust/near-misses';
import { tokenOrNext } from '@mayfly/trust/next-step';
import type { TokenKnowledge } from '@mayfly/trust/policy-warning';
import { readTrustPolicy, type TrustPolicy, usualAudience } from '@mayfly/trust/read-trust-policy';
import { subjectParts } from '@mayfly/trust/subject-parts';
import { admittedBuild, type TokenClaims } from '@mayfly/trust/token-of';
import type { Surroundings } from './command.ts';
import { CommandError, EXIT_CODES } from './exit-codes.ts';
import { section } from './explain-text.ts';
import { type BuildValues, printable, readBuild, readText, wishOf } from './trust-inputs.ts';

type Values = BuildValues & { token?: string | undefined; json?: boolean | undefined };

/** Runs `mayfly trust check`; gives its exit code. */
export async function runTrustCheck(
  files: readonly string[],
  values: Values,
  surroundings: Surroundings,
): Promise<number> {
  const [file, ...more] = files;
  if (file === undefined || more.length > 0)
    throw new CommandError(
      'usage',
      'no policy: mayfly trust check POLICY --event FILE (- reads standard input)',
    );
  if ((values.event === undefined) === (values.token === undefined))
    throw new CommandError(
      'usage',
      'a policy is checked against one thing: name it with --event FILE or with --token FILE',
    );
  if ([file, values.event, values.token].filter((one) => one === '-').length > 1)
    throw new CommandError('usage', 'standard input can be read once: give one of them as a file');
  // Whatever it is for, a text that is no policy is told first.
  const policy = readTrustPolicy(await readText(file, surroundings, 'the policy', 'mayfly trust check'));
  const { claims, known, others, audience } =
    values.token === undefined
      ? await ofEvent(policy, values, surroundings)
      : await ofToken(values.token, surroundings);
  const checked = checkPolicy(policy, claims, known, others);
  surroundings.stdout.write(
    values.json
      ? `${JSON.stringify(jsonOf(checked, claims), undefined, 2)}\n`
      : textOf(checked, audience ?? printable(String(claims['aud']))),
  );
  return checked.admitted === true ? 0 : EXIT_CODES.refused;
}

type Asked = {
  claims: TokenClaims;
  known: TokenKnowledge;
  others?: NearMiss[];
  /** The audience that was taken, and why. */
  audience?: string;
};

async function ofEvent(given: TrustPolicy, values: Values, surroundings: Surroundings): Promise<Asked> {
  const { deployment, event } = await readBuild(values, surroundings);
  const { profile, policy } = deployment;
  const now = Math.floor(Date.now() / 1000);
  const asked = wishOf(values);
  const declared = Object.values(event.data.id_tokens ?? {}).map(({ aud }) => aud);
  const usual = asked.audience === undefined ? usualAudience(given, declared.flat()) : undefined;
  const wish = { ...asked, ...(usual && { audience: usual.audience }) };
  issuerOf(deployment);
  const { claims } = tokenOrNext(deployment, event, wish, now);
  const facts = factsOf(admittedBuild(policy, event, now));
  const { parts } = subjectParts(profile, facts, wish.subjectClaim ?? policy.subject);
  const known = { parts, ...ofProfiles([profile]) };
  return {
    ...{ claims, known, others: nearMisses(deployment, event, wish, now) },
    ...(usual && { audience: `${printable(usual.audience)}, ${usual.because}` }),
  };
}

/** Nothing tells by which profile a token was made: what a user decides in any of ours, a user may have decided. */
async function ofToken(file: string, surroundings: Surroundings): Promise<Asked> {
  const { claims } = readForm(await readText(file, surroundings, 'the token', '--token'));
  const profiles: Profile[] = await Promise.all(
    SHIPPED_PROFILES.map((name) => readProfile(PROFILES_DIR, name)),
  );
  return { claims, known: ofProfiles(profiles) };
}

function ofProfiles(profiles: readonly Profile[]): TokenKnowledge {
  return {
    isUserControlled: (claim) => isUserControlled(profiles, claim),
    pathsOf: (claim) => pathsOfClaim(profiles, claim),
  };
}

const WORDS = { yes: 'Admitted', no: 'REFUSED', open: 'CANNOT BE TOLD from a token alone' };

function wordOf({ admitted }: CheckedPolicy): keyof typeof WORDS {
  return admitted === undefined ? 'open' : admitted ? 'yes' : 'no';
}

function textOf(checked: CheckedPolicy, audience: string): string {
  const { reasons, warnings, admitted_too, same_kind } = checked;
  return [
    `${WORDS[wordOf(checked)]}, for the audience ${audience}`,
    ...reasons.map((reason) => `  ${printable(reason)}`),
    ...(['more', 'less'] as const).flatMap((way) =>
      section(
        way === 'more' ? 'It admits more than it looks like' : 'It admits less than it looks like',
        warnings
          .filter(({ admits }) => admits === way)
          .flatMap(({ what, instead }) => [`  ${printable(what)}`, `      next: ${printable(instead)}`]),
      ),
    ),
    ...section(
      'Tried, and admitted too',
      admitted_too.map((name) => `  ${name}`),
    ),
    ...section(
      'Of the same kind, and admitted too',
      same_kind.map((name) => `  ${name}`),
    ),
    '',
  ].join('\n');
}

function jsonOf({ admitted, ...rest }: CheckedPolicy, { aud }: TokenClaims) {
  return { admitted: admitted ?? null, audience: aud, ...rest };
}
