import { TAG_SIGNS } from '@mayfly/profiles/session-tags';
import { octoFault } from './octo-policy.ts';
import type { TokenClaims } from './token-of.ts';

/** What one relying party takes no more than, and whether a token is within it. */
export type Limit = { party: string; limit: string; value: string; within: boolean };

/** Takes the length of a token, its header and its claims; gives the limits of relying parties, and whether it is within them. */
export function limitsOf(bytes: number, { alg }: Record<string, unknown>, claims: TokenClaims): Limit[] {
  const subject = String(claims['sub'] ?? '');
  const issuer = String(claims['iss'] ?? '');
  const audiences = [claims['aud'] ?? []].flat().map(String);
  const tags = Object.entries(
    (claims['https://aws.amazon.com/tags'] as { principal_tags?: object } | undefined)?.principal_tags ?? {},
  );
  const oddTag = tags.find((tag) => !tag.flat().every((one) => TAG_SIGNS.test(String(one))));
  const at = (party: string, limit: string, value: number, most: number, unit: string): Limit => ({
    ...{ party, limit: `${limit} of at most ${most} ${unit}`, value: `${value}` },
    within: value <= most,
  });
  const octo = octoFault({ issuer, subject, audiences });
  const subjectBytes = Buffer.byteLength(subject);
  const subjectCharacters = [...subject].length;
  return [
    at('RabbitMQ', 'a token', bytes, 4096, 'bytes'),
    at('Apache, Dovecot', 'a token', bytes, 8192, 'bytes'),
    at('AWS', 'a token', bytes, 20_000, 'bytes'),
    at('AWS', 'session tags', tags.length, 50, 'tags'),
    {
      party: 'AWS',
      limit: 'session tags of letters, digits, spaces and _.:/=+-@',
      value: oddTag?.flat().join(': ') ?? 'plain',
      within: oddTag === undefined,
    },
    at('Google Cloud', 'google.subject', subjectBytes, 127, 'bytes'),
    at('OIDC', 'sub', subjectCharacters, 255, 'characters'),
    at('Azure', 'a subject', subjectCharacters, 600, 'characters'),
    { party: 'Azure', limit: 'RS256 only', value: String(alg), within: alg === 'RS256' },
    {
      party: 'octo-sts',
      limit: octo?.takes ?? 'issuers, subjects and audiences of plain signs',
      value: octo?.given ?? 'plain',
      within: octo === undefined,
    },
  ];
}
