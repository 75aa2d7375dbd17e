import { evaluateCel } from './cel-evaluate.ts';
import { parseCel } from './cel-parse.ts';
import type { TokenClaims } from './token-of.ts';
import type { Verdict } from './verdict.ts';

/** A provider of a workload identity pool. */
export type GcpProvider = {
  issuer: string;
  audiences: string[];
  mapping: Record<string, string>;
  condition: string;
};

const MOST_SUBJECT_BYTES = 127;

/** Takes a provider, a member that is bound, and the claims of a token; says whether Google exchanges it for that member. */
export function judgeGcp(provider: GcpProvider, member: string, claims: TokenClaims): Verdict {
  const refused = (reason: string): Verdict => ({ admitted: false, reasons: [reason] });
  const { iss, aud } = claims;
  if (iss !== provider.issuer) return refused('the issuer is another');
  if (![aud].flat().some((one) => provider.audiences.includes(String(one))))
    return refused('the audience is not allowed');
  const attributes: Record<string, string | undefined> = {};
  for (const [key, expression] of Object.entries(provider.mapping)) {
    const result = evaluateCel(parseCel(expression), { assertion: claims });
    if ('error' in result) return refused(`the mapping of ${key} fails: ${result.error}`);
    attributes[key] = String(result.value);
  }
  const subject = attributes['google.subject'] ?? '';
  if (Buffer.byteLength(subject) > MOST_SUBJECT_BYTES)
    return refused('The size of mapped attribute exceeds the 127 bytes limit (google.subject)');
  const names = { assertion: claims, google: { subject }, attribute: custom(attributes) };
  const condition = evaluateCel(parseCel(provider.condition), names);
  if (!('value' in condition) || condition.value !== true)
    return refused(`the condition is not met${'error' in condition ? `: ${condition.error}` : ''}`);
  return isMember(member, subject, attributes)
    ? { admitted: true, reasons: ['the condition is met, and the subject is bound'] }
    : refused('the binding is for another member');
}

function custom(attributes: Record<string, string | undefined>): Record<string, unknown> {
  const entries = Object.entries(attributes).filter(([key]) => key.startsWith('attribute.'));
  return Object.fromEntries(entries.map(([key, value]) => [key.slice('attribute.'.length), value]));
}

function isMember(member: string, subject: string, attributes: Record<string, string | undefined>): boolean {
  const [, of, rest] =
    /^principal(?:Set)?:\/\/[^ ]*?\/workloadIdentityPools\/[^/]+\/(subject|attribute\.[^/]+|\*)\/?([\s\S]*)$/.exec(
      member,
    ) ?? [];
  if (of === '*') return true;
  return of === 'subject' ? rest === subject : of !== undefined && attributes[of] === rest;
}
