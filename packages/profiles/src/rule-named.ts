import type { ClaimRule } from './profile.ts';

const MEMBER = /^[A-Za-z0-9_./:-]{1,128}$/;

/** Takes rules and the name of a claim; gives its rule, narrowed to that one claim where the rule is for many. */
export function ruleNamed(rules: readonly ClaimRule[], name: string): ClaimRule | undefined {
  if (name.endsWith('*')) return undefined;
  const exact = rules.find((rule) => rule.name === name);
  if (exact) return exact;
  const wide = rules.find((rule) => rule.name.endsWith('*') && name.startsWith(rule.name.slice(0, -1)));
  const member = name.slice((wide?.name.length ?? 1) - 1);
  if (wide?.source.kind !== 'facts' || !MEMBER.test(member)) return undefined;
  const map = (wide.source.paths[0] as string).slice(0, -2);
  return { ...wide, name, source: { kind: 'member', map, member } };
}
