import type { TokenClaims } from './token-of.ts';
import type { VaultRole } from './vault-role.ts';
import type { Verdict } from './verdict.ts';

/**
 * Takes a role and the claims of a token; says whether Vault's JWT login takes it, in the order and words of the
 * plugin: subject, audience, identity, mappings, bound claims. The signature and the times are not asked here.
 */
export function evaluateVault(role: VaultRole, claims: TokenClaims): Verdict {
  const refusal =
    (role.roleType === 'jwt' ? undefined : 'role with oidc role_type is not allowed') ??
    refusedByRegistered(role, claims) ??
    refusedByIdentity(role, claims) ??
    refusedByClaims(role, claims);
  if (refusal) return { admitted: false, reasons: [refusal] };
  const { boundSubject, boundAudiences, boundClaims } = role;
  return {
    admitted: true,
    reasons: [
      ...(boundSubject ? [`bound_subject ${boundSubject}`] : []),
      ...(boundAudiences.length > 0 ? [`bound_audiences ${boundAudiences.join(', ')}`] : []),
      ...Object.entries(boundClaims).map(
        ([name, value]) => `bound_claims ${name} ${[value].flat().join(' | ')}`,
      ),
    ],
  };
}

function refusedByRegistered(role: VaultRole, { iss, sub, aud }: TokenClaims): string | undefined {
  if (role.boundIssuer !== undefined && role.boundIssuer !== '' && iss !== role.boundIssuer)
    return 'invalid issuer (iss) claim';
  if (role.boundSubject !== '' && sub !== role.boundSubject)
    return 'invalid subject (sub) claim: bound_subject is another';
  const audiences = aud === undefined ? [] : [aud].flat();
  if (role.boundAudiences.length === 0)
    return audiences.length > 0
      ? 'audience claim found in JWT but no audiences bound to the role'
      : undefined;
  return role.boundAudiences.some((one) => audiences.includes(one))
    ? undefined
    : 'invalid audience (aud) claim: audience claim does not match any expected audience (bound_audiences)';
}

function refusedByIdentity(role: VaultRole, claims: TokenClaims): string | undefined {
  const { userClaim, userClaimJsonPointer } = role;
  const user = userClaimJsonPointer ? claimAt(claims, userClaim) : claims[userClaim];
  if (user === undefined || user === null) return `claim "${userClaim}" not found in token (user_claim)`;
  if (typeof user !== 'string') return `claim "${userClaim}" could not be converted to string (user_claim)`;
  if (role.groupsClaim !== '' && !Array.isArray(claimAt(claims, role.groupsClaim)))
    return `claim "${role.groupsClaim}" could not be converted to string list (groups_claim)`;
  for (const source of Object.keys(role.claimMappings)) {
    const value = claimAt(claims, source);
    if (value !== undefined && value !== null && typeof value !== 'string')
      return `error converting claim '${source}' to string (claim_mappings)`;
  }
  return undefined;
}

function refusedByClaims(
  { boundClaims, boundClaimsType }: VaultRole,
  claims: TokenClaims,
): string | undefined {
  for (const [name, expected] of Object.entries(boundClaims)) {
    const actual = claimAt(claims, name);
    if (actual === undefined || actual === null) return `claim "${name}" is missing (bound_claims)`;
    if (typeof actual === 'object' && !Array.isArray(actual))
      return `received claim is not a string, bool, int or list (bound_claims ${name})`;
    if (!hasMatch([expected].flat(), [actual].flat(), boundClaimsType === 'glob'))
      return `claim "${name}" does not match any associated bound claim values (bound_claims)`;
  }
  return undefined;
}

/** Numbers and text are never the same: a bound `"7"` does not take a claim 7. */
function hasMatch(expected: readonly unknown[], actual: readonly unknown[], isGlob: boolean): boolean {
  if (!isGlob) return actual.some((value) => expected.includes(value));
  return actual.some(
    (value) => typeof value === 'string' && expected.some((glob) => vaultGlob(String(glob), value)),
  );
}

/** Takes a glob of Vault's, in which `*` stands for any text and nothing else is wild; says whether text is of it. */
export function vaultGlob(glob: string, text: string): boolean {
  return new RegExp(`^${glob.split('*').map(RegExp.escape).join('[\\s\\S]*')}$`).test(text);
}

/** A claim by its name, or by a JSON pointer where the name begins with `/`. */
function claimAt(claims: TokenClaims, name: string): unknown {
  if (!name.startsWith('/')) return claims[name];
  let value: unknown = claims;
  for (const part of name.slice(1).split('/')) {
    const key = part.replaceAll('~1', '/').replaceAll('~0', '~');
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, key)) return undefined;
    value = (value as Record<string, unknown>)[key];
  }
  return value;
}
