import { ServiceError } from '@mayfly/contracts/errors';
import type { Facts } from './facts.ts';
import { fieldName } from './fields.ts';
import type { ClaimRule } from './profile.ts';
import type { ClaimType } from './profile-file.ts';
import { renderTemplate } from './template.ts';

/** Takes claims, a rule and facts; adds the claims that the rule makes: one, none, or one for each member of a map. */
export function addClaims(claims: Record<string, unknown>, rule: ClaimRule, facts: Facts): void {
  if (rule.name.endsWith('*') && rule.source.kind === 'facts') {
    const map = facts((rule.source.paths[0] as string).slice(0, -2)) ?? {};
    const prefix = rule.name.slice(0, -1);
    for (const [member, value] of Object.entries(map)) claims[`${prefix}${member}`] = value;
    return;
  }
  const value = claimValue(rule, facts);
  if (value !== undefined) claims[rule.name] = value;
}

/**
 * Takes a rule for one claim; gives its value, or undefined for a claim that is left out. Throws a ServiceError
 * (`invalid_request`) that names the field which the build lacks or has in another form.
 */
export function claimValue(rule: ClaimRule, facts: Facts): unknown {
  const raw = rawValue(rule, facts);
  if (raw !== undefined) return convert(raw, rule.type, rule);
  if (rule.required) throw new ServiceError('invalid_request', `build lacks ${fieldsOf(rule)}`);
  return rule.absent;
}

function rawValue({ source }: ClaimRule, facts: Facts): unknown {
  if (source.kind === 'value') return source.value;
  if (source.kind === 'template') return renderTemplate(source.template, facts);
  if (source.kind === 'members') return memberValues(source.members, facts);
  if (source.kind === 'member') {
    const map = facts(source.map);
    return typeof map === 'object' && map !== null && Object.hasOwn(map, source.member)
      ? (map as Record<string, unknown>)[source.member]
      : undefined;
  }
  return source.paths.map((path) => facts(path)).find((value) => value !== undefined);
}

function memberValues(members: readonly (readonly [string, string])[], facts: Facts): unknown {
  const held = members
    .map(([name, path]) => [name, facts(path)] as const)
    .filter(([, value]) => value !== undefined);
  return held.length > 0 ? Object.fromEntries(held) : undefined;
}

function convert(value: unknown, type: ClaimType, rule: ClaimRule): unknown {
  if (type === 'string') return String(value);
  if (type !== 'integer' || Number.isSafeInteger(value)) return value;
  const isWhole =
    typeof value === 'string' &&
    /^(0|-?[1-9][0-9]{0,15})$/.test(value) &&
    Number.isSafeInteger(Number(value));
  if (!isWhole)
    throw new ServiceError('invalid_request', `build must have a whole number as ${fieldsOf(rule)}`);
  return Number(value);
}

function fieldsOf({ name, source }: ClaimRule): string {
  if (source.kind === 'facts') return [...new Set(source.paths.map(fieldName))].join(' or ');
  return source.kind === 'member' ? `${source.map}.${source.member}` : `what the claim ${name} is made from`;
}
