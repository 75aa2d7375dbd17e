import { isCanonicalJws, MAX_TOKEN_BYTES } from '@mayfly/contracts/compact-jws';
import { ServiceError } from '@mayfly/contracts/errors';
import { isLowS } from '@mayfly/contracts/low-s';
import { readYaml } from '@mayfly/profiles/yaml';
import { type Oddity, odd } from './oddity.ts';

/** A token taken apart: its header, its claims, and what is odd about how it is written. */
export type TokenForm = { header: Record<string, unknown>; claims: Record<string, unknown>; odd: Oddity[] };

/** Takes text; gives the token in it, taken apart. Throws a ServiceError (`invalid_token`) for what is no signed token. */
export function readForm(text: string): TokenForm {
  const token = text.trim().replace(/^Bearer\s+/i, '');
  refuseOthers(token);
  const segments = token.split('.');
  if (segments.length !== 3)
    refuse(
      `it has ${segments.length} parts, and a signed token has 3`,
      'give the whole token, header.claims.signature',
    );
  const [first = '', second = '', signature = ''] = segments;
  const header = parseSegment(first, 'header');
  const claims = parseSegment(second, 'claims');
  return {
    header: header.value,
    claims: claims.value,
    odd: [
      ...writingOddities(token, text),
      ...header.odd,
      ...claims.odd,
      ...signatureOddities(header.value, signature),
    ],
  };
}

function refuseOthers(token: string): void {
  if (token === '') refuse('it is empty', 'give a token on standard input, or name a file');
  if (token.startsWith('mfr_'))
    refuse(
      'it is the request token of a build, with which tokens are asked for',
      'keep it secret; mayfly token gets an ID token with it',
    );
  if (token.startsWith('{')) refuse('it is JSON', 'give the token alone, without what is around it');
}

function refuse(what: string, next: string): never {
  throw new ServiceError('invalid_token', `this is no ID token: ${what}; ${next}`);
}

function parseSegment(segment: string, name: string): { value: Record<string, unknown>; odd: Oddity[] } {
  const text = Buffer.from(segment, 'base64url').toString();
  const value = parseObject(text);
  if (!value) refuse(`its ${name} is no JSON object`, 'give the token as it was issued');
  const doubled = readYaml(text).faults.some(({ reason }) => /unique/i.test(reason));
  return {
    value,
    odd: doubled
      ? [
          odd(
            `a name stands twice in its ${name}, and readers differ in which they take`,
            'refuse it: ours have each once',
          ),
        ]
      : [],
  };
}

function parseObject(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : undefined;
  } catch {
    return undefined;
  }
}

function writingOddities(token: string, text: string): Oddity[] {
  const around =
    text.replace(/\r?\n$/, '') === token
      ? []
      : [odd('there are spaces, or a scheme, around it', 'give the token alone')];
  if (isCanonicalJws(token)) return around;
  const next = 'refuse it: one token is one string, and this is another than was issued (RFC 7515 §2)';
  if (token.length > MAX_TOKEN_BYTES)
    return [
      ...around,
      odd(`it has ${token.length} bytes, more than any of ours (${MAX_TOKEN_BYTES})`, 'leave claims out'),
    ];
  const what = token.includes('=')
    ? 'it is padded with ='
    : /[^A-Za-z0-9_.-]/.test(token)
      ? 'it has signs that base64url has not'
      : token.endsWith('.')
        ? 'it has no signature'
        : 'a part has spare bits that are not zero, or cannot have its length';
  return [...around, odd(`it is not in canonical form: ${what}`, next)];
}

function signatureOddities({ alg }: Record<string, unknown>, signature: string): Oddity[] {
  const bytes = Buffer.from(signature, 'base64url');
  const { length } = bytes;
  const isFitting = alg === 'ES256' ? length === 64 : alg !== 'RS256' || length >= 256;
  if (!isFitting)
    return [odd(`its signature has ${length} bytes, which is none of ${String(alg)}`, 'refuse it')];
  if (alg !== 'ES256' || isLowS(bytes)) return [];
  return [
    odd(
      'its signature has the higher of the two S that ECDSA takes for as good, and ours have the lower',
      'refuse it: one token is one string',
    ),
  ];
}
