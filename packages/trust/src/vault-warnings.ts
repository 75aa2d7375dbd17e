import { PER_BUILD } from './kind-of-build.ts';
import type { PolicyWarning, TokenKnowledge } from './policy-warning.ts';
import type { TokenClaims } from './token-of.ts';
import { entityWarnings } from './vault-entity.ts';
import type { VaultRole } from './vault-role.ts';
import { globPieces, wildcardWarnings } from './wildcard.ts';

const PER_BUILD_CLAIMS = new Set([
  'jti',
  'build_id',
  'job_id',
  'run_id',
  'sha',
  'execution_id',
  ...PER_BUILD,
]);
/** Facts that say of which repository, pipeline or workflow a build is. Names of the latter are free: anybody's can be called so. */
const SAYS_WHICH = /^((head_|source_)?repository\.(id|name)|(pipeline|workflow|project)\.id)$/;
/** Facts that many repositories share: who owns them. */
const SAYS_WHOSE =
  /^(organization|enterprise|(head_|source_)?repository\.owner|owner)\.|^derived\.owner_name$/;
const LONG_SECONDS = 3600;

/** Takes a role, a token's claims and what is known; gives everything by which it admits more, or less, than it looks like. */
export function vaultWarnings(role: VaultRole, claims: TokenClaims, known: TokenKnowledge): PolicyWarning[] {
  return [
    ...missingWarnings(role, known),
    ...Object.entries(role.boundClaims).flatMap(([name, value]) =>
      boundWarnings(role, name, value, claims, known),
    ),
    ...identityWarnings(role, known),
    ...entityWarnings(role, claims, known),
    ...(role.longestSeconds === 0 || role.longestSeconds > LONG_SECONDS
      ? [more('the Vault token can outlive the build by hours', 'set token_explicit_max_ttl to some minutes')]
      : []),
  ];
}

const more = (what: string, instead: string): PolicyWarning => ({ admits: 'more', what, instead });
const less = (what: string, instead: string): PolicyWarning => ({ admits: 'less', what, instead });

function missingWarnings(
  { roleType, boundAudiences, boundSubject, boundClaims }: VaultRole,
  known: TokenKnowledge,
): PolicyWarning[] {
  const names = Object.keys(boundClaims);
  return [
    ...(roleType === 'jwt'
      ? []
      : [less('role_type is oidc, which is for people at a browser', 'set role_type to jwt')]),
    ...(boundAudiences.length > 0
      ? []
      : [
          less(
            'there is no bound_audiences, and every token of ours has an audience: Vault refuses all',
            'set bound_audiences',
          ),
        ]),
    ...(boundSubject === '' && names.length === 0
      ? [
          more(
            'nothing but the audience is bound: it admits every build of the issuer',
            'set bound_subject, or bound_claims with an immutable id',
          ),
        ]
      : []),
    ...(boundSubject === '' && names.length > 0 ? unheldWarnings(names.map(topName), known) : []),
  ];
}

/** That a branch is protected, a build no fork, or an event a push, is so in every repository of a source. */
function unheldWarnings(names: readonly string[], known: TokenKnowledge): PolicyWarning[] {
  const is = (pattern: RegExp) => (name: string) => known.pathsOf(name).some((path) => pattern.test(path));
  const isOwnedPipeline = names.some(is(SAYS_WHOSE)) && names.some(is(/^pipeline\.name$/));
  if (isOwnedPipeline || names.some((name) => name === 'sub' || is(SAYS_WHICH)(name))) return [];
  const holds = `bound_claims holds ${names.join(', ')} only`;
  const what = names.some(is(SAYS_WHOSE))
    ? `${holds}: no claim here says which repository, and every one of that owner is admitted, also such as are yet to be made`
    : names.every((name) => known.isUserControlled(name))
      ? `${holds}, and whoever can push or name something decides that: no claim here says which repository`
      : `${holds}: no claim here says which repository, and so it admits such builds of every one of the source`;
  return [more(what, 'bind the id of the repository beside it, or set bound_subject')];
}

/** The claim that a name of bound_claims means: its first part, where it is a JSON pointer. */
function topName(name: string): string {
  const [, first] = name.split('/');
  return name.startsWith('/') ? (first ?? '').replaceAll('~1', '/').replaceAll('~0', '~') : name;
}

function boundWarnings(
  { boundClaimsType }: VaultRole,
  name: string,
  value: unknown,
  claims: TokenClaims,
  known: TokenKnowledge,
): PolicyWarning[] {
  const values = [value].flat();
  const texts = values.filter((one) => typeof one === 'string');
  const claim = claims[name];
  const isWild = texts.some((text) => text.includes('*'));
  if (boundClaimsType !== 'glob')
    return [
      ...(isWild
        ? [
            less(
              `bound_claims ${name} has a *, which stands for itself`,
              'set bound_claims_type to glob, and see what it admits',
            ),
          ]
        : []),
      ...(claim !== undefined && !Array.isArray(claim) && values.every((one) => typeof one !== typeof claim)
        ? [
            less(
              `bound_claims ${name} is a ${typeof value} and the claim is a ${typeof claim}`,
              `write it as a ${typeof claim}`,
            ),
          ]
        : []),
    ];
  if (name === 'sub')
    return texts.flatMap((text) =>
      wildcardWarnings('bound_claims sub', text, globPieces(text), String(claims['sub']), known),
    );
  return texts.flatMap((text) => globWarnings(name, text, known));
}

const OWNED =
  /^(repo|repository|project_path|job_project_path|source_repository|repository_owner|namespace_path|organization)$/;

function globWarnings(name: string, text: string, known: TokenKnowledge): PolicyWarning[] {
  if (!text.includes('*')) return [];
  const warn = (what: string, instead: string) => [more(`bound_claims ${name} ${text}: ${what}`, instead)];
  if (text.startsWith('*'))
    return warn('a * at the front admits every value that ends so', 'write out the beginning');
  if (known.isUserControlled(name))
    return warn(
      'whoever can push or name something decides what the * stands for',
      'write the value out, or bind a claim that says it is protected',
    );
  if (OWNED.test(name))
    return warn(
      'the * admits every repository of the organization, also such as are yet to be made',
      'bind the id of the repository',
    );
  return warn('a part is left open', 'write the value out');
}

function identityWarnings({ userClaim, claimMappings }: VaultRole, known: TokenKnowledge): PolicyWarning[] {
  const mapped = Object.keys(claimMappings).filter((name) => known.isUserControlled(name));
  return [
    ...(PER_BUILD_CLAIMS.has(userClaim)
      ? [more(`user_claim ${userClaim} makes an entity of every build, and they stay`, 'use sub')]
      : []),
    ...(userClaim !== 'sub' && known.isUserControlled(userClaim)
      ? [
          more(
            `user_claim ${userClaim} is what whoever can push or name something decides, and with it they take another's entity`,
            'use sub',
          ),
        ]
      : []),
    ...(mapped.length > 0
      ? [
          more(
            `claim_mappings takes ${mapped.join(', ')}, which whoever can push or name something decides, into templated policies`,
            'map immutable ids',
          ),
        ]
      : []),
  ];
}
