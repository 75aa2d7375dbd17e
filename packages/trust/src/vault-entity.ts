import { pathsOfRule, trustOf } from './claim-origins.ts';
import { type Kind, namesPipelines, PER_BUILD, perBuild } from './kind-of-build.ts';
import type { PolicyWarning, TokenKnowledge } from './policy-warning.ts';
import type { TokenClaims } from './token-of.ts';
import type { VaultRole } from './vault-role.ts';

/** Facts that outlast a build, and of which there are not many: an id before a name, the nearest first. */
const LASTING: readonly string[] = [
  ...['repository.id', 'workflow.id', 'project.id', 'pipeline.id', 'repository.name', 'pipeline.name'],
  ...['organization.id', 'organization.name'],
];

/**
 * Takes a kind; gives the claim by whose value Vault makes its entities: `sub`, or, where no two builds share that, the
 * text that lasts and is nearest to it. `iss`, which is one entity of all builds, where there is none.
 */
export function entityClaim(kind: Kind): string {
  if (perBuild(kind).length === 0) return 'sub';
  const { profile, claims } = kind;
  const rules = [...profile.claims, ...profile.optionalClaims].filter(
    ({ name }) => typeof claims[name] === 'string' && claims[name] !== '',
  );
  for (const path of LASTING) {
    if (path === 'pipeline.id' && !namesPipelines(profile)) continue;
    const rule = rules.find((one) => pathsOfRule(one).join() === path);
    if (rule && trustOf(path) === 'trusted') return rule.name;
  }
  return 'iss';
}

/** Takes a role, a token's claims and what is known; gives the warning that `sub` is another in every build, if it is. */
export function entityWarnings(
  { userClaim }: VaultRole,
  { sub }: TokenClaims,
  { parts }: TokenKnowledge,
): PolicyWarning[] {
  if (userClaim !== 'sub' && userClaim !== '/sub') return [];
  const held = parts
    ? parts.flatMap(({ path }) => (path !== undefined && PER_BUILD.has(path) ? [path] : []))
    : // Without the event, by the words in it.
      [...(/(?:^|:)(commit|sha|build|build_id|job_id|run_id|execution):/.exec(String(sub)) ?? [])].slice(1);
  if (held.length === 0) return [];
  return [
    {
      admits: 'more',
      what: `user_claim sub makes an entity of every build, and they stay: sub holds ${held.join(', ')}`,
      instead: 'set user_claim to a claim that lasts, such as the id of the repository or pipeline',
    },
  ];
}
