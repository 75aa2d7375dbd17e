import type { TokenClaims } from './token-of.ts';
import type { Verdict } from './verdict.ts';

/** A trust policy of octo-sts, as far as it says who may have a token. */
export type OctoPolicy = {
  issuer?: string;
  issuer_pattern?: string;
  subject?: string;
  subject_pattern?: string;
  audience?: string;
  audience_pattern?: string;
  claim_pattern?: Record<string, string>;
  permissions?: Record<string, string>;
};

const DOMAIN = 'octo-sts.dev';

/** Takes a trust policy, the claims of a token and the domain of the service; says whether octo-sts exchanges it. */
export function evaluateOcto(policy: OctoPolicy, claims: TokenClaims, domain = DOMAIN): Verdict {
  const { iss, sub, aud } = claims;
  const refused = (reason: string): Verdict => ({ admitted: false, reasons: [reason] });
  const audiences = [aud].flat().map(String);
  const fault = octoFault({ issuer: String(iss ?? ''), subject: String(sub ?? ''), audiences });
  if (fault) return refused(octoFaultText(fault));
  if (!fits(policy.issuer, policy.issuer_pattern, String(iss))) return refused('the issuer is another');
  if (!fits(policy.subject, policy.subject_pattern, String(sub))) return refused('the subject is another');
  const { audience = policy.audience_pattern === undefined ? domain : undefined, audience_pattern } = policy;
  if (!audiences.some((one) => fits(audience, audience_pattern, one)))
    return refused('the audience is another');
  const unfit = unfitClaim(policy.claim_pattern ?? {}, claims);
  if (unfit) return refused(unfit);
  return { admitted: true, reasons: ['issuer, subject, audience and claims are as the policy says'] };
}

function unfitClaim(patterns: Record<string, string>, claims: TokenClaims): string | undefined {
  for (const [name, pattern] of Object.entries(patterns)) {
    const value = typeof claims[name] === 'boolean' ? String(claims[name]) : claims[name];
    if (value === undefined) return `expected claim "${name}" not found in token`;
    if (typeof value !== 'string') return `expected claim "${name}" not a string`;
    if (!anchored(pattern).test(value)) return `claim "${name}" did not match "${pattern}"`;
  }
  return undefined;
}

/** What octo-sts takes, and what a token holds in its place. */
export type OctoFault = { takes: string; given: string };

const SIGNS = '255 printable characters without spaces and';

/** Takes what a token holds; gives what octo-sts would not take in it, undefined if nothing. */
export function octoFault(token: {
  issuer: string;
  subject: string;
  audiences: readonly string[];
}): OctoFault | undefined {
  const { issuer, subject, audiences } = token;
  if (!isIssuer(issuer))
    return { takes: 'issuers by https, of 255 characters and a plain path', given: issuer };
  if (!isSubject(subject)) return { takes: `subjects of ${SIGNS} "'\`\\<>;&$(){}[]`, given: subject };
  const audience = audiences.find((one) => !isSubject(one) || /[|@]/.test(one));
  if (audience !== undefined) return { takes: `audiences of ${SIGNS} "'\`\\<>;|&$(){}[]@`, given: audience };
  return undefined;
}

/** Takes a fault; gives it in words. */
export function octoFaultText({ takes, given }: OctoFault): string {
  return `octo-sts takes ${takes}; this one is ${given}`;
}

/** Takes text; gives it as a pattern of octo-sts (RE2, anchored by it) that means this text. */
export function octoLiteral(text: string): string {
  return text.replace(/[\\.+*?()|[\]{}^$]/g, '\\$&');
}

function fits(exact: string | undefined, pattern: string | undefined, value: string): boolean {
  return pattern === undefined ? value === exact : anchored(pattern).test(value);
}

function anchored(pattern: string): RegExp {
  return new RegExp(`^(?:${pattern})$`, 'u');
}

function isSubject(text: string): boolean {
  return text !== '' && [...text].length <= 255 && !/[\s\p{C}"'`\\<>;&$(){}[\]]/u.test(text);
}

function isIssuer(text: string): boolean {
  if ([...text].length > 255 || /[?#]/.test(text) || !URL.canParse(text)) return false;
  const { protocol, username, pathname } = new URL(text);
  return (
    protocol === 'https:' &&
    username === '' &&
    /^[A-Za-z0-9\-._~/]*$/.test(pathname) &&
    !/\.\.|\/\/|~~|~$/.test(pathname) &&
    pathname.split('/').every((segment) => segment.length <= 150 && segment !== '~')
  );
}
