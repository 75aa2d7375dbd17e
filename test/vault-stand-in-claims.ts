import type { JWTPayload } from 'jose';
import type { Role } from './vault-stand-in-state.ts';

/** A login that is refused, with 400 and this text. */
export class Refusal extends Error {}

/** What a Vault token says of a login: its role, and the claims that the role maps. Throws a Refusal. */
export function metadataOf(claims: JWTPayload, role: Role, name: string): Record<string, string> {
  const { user_claim: claim, user_claim_json_pointer: isPointer, groups_claim: groups } = role;
  const user = isPointer ? claimAt(claims, claim) : claims[claim];
  if (user === undefined || user === null) throw new Refusal(`claim "${claim}" not found in token`);
  if (typeof user !== 'string') throw new Refusal(`claim "${claim}" could not be converted to string`);
  if (groups && !Array.isArray(claimAt(claims, groups)))
    throw new Refusal(`claim "${groups}" could not be converted to string list`);
  const mapped = Object.entries(role.claim_mappings ?? {}).flatMap(([source, target]) => {
    const value = claimAt(claims, source);
    if (value === undefined || value === null) return [];
    if (typeof value !== 'string') throw new Refusal(`error converting claim '${source}' to string`);
    return [[target, value] as const];
  });
  return { ...Object.fromEntries(mapped), role: name };
}

/** Holds claims against those that a role binds, text to text and number to number. Throws a Refusal. */
export function checkBoundClaims(
  claims: JWTPayload,
  { bound_claims = {}, bound_claims_type: type }: Role,
): void {
  const fail = (message: string): never => {
    throw new Refusal(`error validating claims: ${message}`);
  };
  for (const [claim, bound] of Object.entries(bound_claims)) {
    const value = claimAt(claims, claim);
    if (value === undefined || value === null) fail(`claim "${claim}" is missing`);
    if (typeof value === 'object' && !Array.isArray(value))
      fail('received claim is not a string, bool, int or list');
    const has: unknown[] = [value].flat();
    const isBound = [bound]
      .flat()
      .some((want) => has.some((one) => (type === 'glob' ? isOfGlob(want, one) : want === one)));
    if (!isBound) fail(`claim "${claim}" does not match any associated bound claim values`);
  }
}

/** A glob is of text alone. */
function isOfGlob(pattern: unknown, value: unknown): boolean {
  if (typeof pattern !== 'string' || typeof value !== 'string') return false;
  const source = pattern.split('*').map((part) => RegExp.escape(part));
  return new RegExp(`^${source.join('.*')}$`, 's').test(value);
}

/** A claim by its name, or by a JSON pointer (RFC 6901). */
function claimAt(claims: JWTPayload, name: string): unknown {
  if (!name.startsWith('/')) return claims[name];
  return name
    .slice(1)
    .split('/')
    .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'))
    .reduce<unknown>((value, part) => (value as Record<string, unknown> | null | undefined)?.[part], claims);
}
