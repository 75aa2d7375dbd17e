import { renderGoTemplate } from './go-template.ts';
import type { TokenClaims } from './token-of.ts';
import type { Verdict } from './verdict.ts';

/** What Fulcio is told of a CI system: `ci-issuer-metadata`. */
export type FulcioMetadata = {
  'default-template-values': Record<string, string>;
  'extension-templates': Record<string, string>;
  'subject-alternative-name-template': string;
};

/** What of a certificate comes from the token: the identity, and extensions. */
export type FulcioCertificate = { issuer: string; identity: string; extensions: Record<string, string> };

/** Takes what Fulcio is told and the claims of a token; gives the certificate's contents. Throws a TypeError where it refuses. */
export function fulcioCertificate(metadata: FulcioMetadata, claims: TokenClaims): FulcioCertificate {
  const values = new Map([
    ...Object.entries(metadata['default-template-values']),
    ...Object.entries(claims).map(([name, value]): [string, string] => [name, goText(value)]),
  ]);
  const apply = (template: string): string => {
    if (template.includes('{{')) return renderGoTemplate(template, values);
    const value = values.get(template);
    if (value === undefined)
      throw new TypeError(`value <${template}> not present in either claims or defaults`);
    return value;
  };
  const identity = apply(metadata['subject-alternative-name-template']);
  // What a URI would hold in another form is not compared here: see `fulcio-trust.ts`.
  if (!URL.canParse(identity)) throw new TypeError('the identity is no URI');
  const extensions = Object.entries(metadata['extension-templates']).map(([name, template]) => [
    name,
    apply(template),
  ]);
  return { issuer: String(claims['iss']), identity, extensions: Object.fromEntries(extensions) };
}

/** Takes Fulcio's configuration, the issuer and identity that a verifier wants, and claims; says whether what they sign is taken. */
export function judgeFulcio(
  metadata: FulcioMetadata,
  wanted: { issuer: string; identity: string | RegExp; audience: string },
  claims: TokenClaims,
): Verdict {
  const refused = (reason: string): Verdict => ({ admitted: false, reasons: [reason] });
  if (claims['iss'] !== wanted.issuer)
    return refused('Fulcio does not have the issuer, or the verifier wants another');
  if (![claims['aud']].flat().includes(wanted.audience)) return refused('the audience is not the client-id');
  try {
    const { identity } = fulcioCertificate(metadata, claims);
    const isWanted =
      typeof wanted.identity === 'string' ? identity === wanted.identity : wanted.identity.test(identity);
    return isWanted
      ? { admitted: true, reasons: ['issuer and identity are those that the verifier wants'] }
      : refused(`the certificate's identity is ${identity}`);
  } catch (error) {
    return refused(`Fulcio refuses: ${(error as Error).message}`);
  }
}

/** Fulcio writes every claim with `%s`, which a number or a boolean does not survive. */
function goText(value: unknown): string {
  if (typeof value === 'string') return value;
  if (typeof value === 'boolean') return `%!s(bool=${value})`;
  return typeof value === 'number' ? `%!s(float64=${value})` : JSON.stringify(value);
}
