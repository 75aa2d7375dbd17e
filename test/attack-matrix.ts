import { twinOf } from '@mayfly/contracts/testing';
import {
  type Attack,
  confusedKeys,
  encode,
  type Loot,
  oddHeaders,
  ownKeys,
  type Parts,
  withoutSignature,
} from './attack-headers.ts';

const decode = (part: string) =>
  JSON.parse(Buffer.from(part, 'base64url').toString()) as Record<string, unknown>;

/** Takes what an attacker has; gives everything that he might try with it. */
export function attackMatrix(loot: Loot): Attack[] {
  const [head = '', body = '', signature = ''] = loot.token.split('.');
  const parts = { head, body, signature, header: decode(head), claims: decode(body) };
  return [
    ...withoutSignature(parts),
    ...confusedKeys(parts, loot),
    ...ownKeys(parts, loot),
    ...oddHeaders(parts),
    ...otherEncodings(parts),
    ...otherKinds(loot),
    ...changedClaims(parts),
    ...malformed(parts),
  ];
}

/** Other spellings of the good token: one token is one string. */
function otherEncodings({ head, body, signature, header }: Parts): Attack[] {
  const whole = `${head}.${body}.${signature}`;
  const last = signature.slice(-1);
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
  const spare =
    signature.length % 4 === 0 ? [] : [1, 2, 3].map((add) => alphabet[alphabet.indexOf(last) + add]);
  return [
    ...['=', '==', ' ', '\n', '\r\n', '\t', '.', '\u0000', '%3D', '+', '\u200b', 'A'].flatMap((rest) => [
      [`${JSON.stringify(rest)} at the end`, whole + rest] as const,
      [`${JSON.stringify(rest)} after the header`, `${head}${rest}.${body}.${signature}`] as const,
      [`${JSON.stringify(rest)} after the claims`, `${head}.${body}${rest}.${signature}`] as const,
      [
        `${JSON.stringify(rest)} in the signature`,
        `${head}.${body}.${signature.slice(0, 9)}${rest}${signature.slice(9)}`,
      ] as const,
      [`${JSON.stringify(rest)} before`, rest + whole] as const,
    ]),
    ...spare.map((one, index) => [`spare bits ${index}`, `${whole.slice(0, -1)}${one}`] as const),
    ...[head, body, signature].map((part, index) => {
      const standard = part.replaceAll('-', '+').replaceAll('_', '/');
      return [`standard base64 of part ${index}`, `${whole.replace(part, standard)}=`] as const;
    }),
    ...(header['alg'] === 'ES256' ? [['the other S that is as good', twinOf(whole)] as const] : []),
    ['percent', whole.replace('.', '%2E')],
    ['JSON', JSON.stringify({ protected: head, payload: body, signature })],
    ['bearer', `Bearer ${whole}`],
  ];
}

function otherKinds({ otherSource, requestToken, statusList }: Loot): Attack[] {
  return [
    ['a token of another source', otherSource.token],
    ['a request token', requestToken],
    ['a status list', statusList],
  ];
}

/** Other claims under the same signature. */
function changedClaims({ head, signature, claims, body }: Parts): Attack[] {
  const text = Buffer.from(body, 'base64url').toString();
  const changes: Record<string, unknown>[] = [
    ...[0, -1, 9e15, '9999999999', null, [9_999_999_999], {}, true].map((exp) => ({ exp })),
    ...['', null, 1, [], {}, ['https://api.example.com', 'x']].map((aud) => ({ aud })),
    ...['', null, [claims['iss']], `${claims['iss']}/`].map((iss) => ({ iss })),
    ...['', null, 1, ['x'], '__proto__', `${claims['jti']}x`].map((jti) => ({ jti })),
    { sub: 'repo:admin' },
  ];
  const texts = changes.map((change) => JSON.stringify({ ...claims, ...change }));
  return [
    ...texts,
    text.replace('{', '{"exp":1,'),
    text.replace('}', ',"aud":"x"}'),
    '[]',
    '"x"',
    'null',
    '1',
    '',
  ].map((one) => [`claims ${one.slice(0, 40)}`, `${head}.${encode(one)}.${signature}`] as const);
}

function malformed({ head, body, signature }: Parts): Attack[] {
  const texts = ['.', '..', '...', head, `${head}.${body}`, `.${body}.${signature}`, `${head}..${signature}`];
  const five = [`${head}.${body}.${signature}.${body}.${signature}`, `${head}.${body}.${signature}.${body}`];
  const long = [
    'a'.repeat(8193),
    `${encode('x'.repeat(700))}.${body}.${signature}`,
    `${head}.${'A'.repeat(8000)}.${signature}`,
  ];
  const odd = [
    'null',
    'undefined',
    '0',
    '[]',
    '{}',
    '[object Object]',
    'é.ü.ß',
    '\u0000',
    '%00',
    '😀.😀.😀',
    '../x',
    'a.b.c',
  ];
  return [...texts, ...five, ...long, ...odd].map(
    (text) => [`malformed ${text.slice(0, 20)}`, text] as const,
  );
}
