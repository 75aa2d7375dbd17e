import { createHmac, createPublicKey, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { withLowS } from '@mayfly/contracts/testing';

/** One token that nobody may take, and what is wrong with it. */
export type Attack = readonly [what: string, token: string];

/** What an attacker has: a live token, the public keys, tokens of other kinds, and an address that sees who calls. */
export type Loot = {
  token: string;
  jwks: Record<string, string>[];
  otherSource: { kid: string; token: string };
  requestToken: string;
  statusList: string;
  canary: string;
};

/** The three parts of a live token, and what is in two of them. */
export type Parts = {
  head: string;
  body: string;
  signature: string;
  header: Record<string, unknown>;
  claims: Record<string, unknown>;
};

/** Takes text or a JSON value; gives it as it stands in a token. */
export const encode = (value: unknown) =>
  Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url');

/** A token that says that it needs no signature. */
export function withoutSignature({ header, body, signature }: Parts): Attack[] {
  return ['none', 'None', 'NONE', 'nOnE', '', ' none', null].flatMap((alg) => {
    const head = encode({ ...header, alg });
    return [
      [`alg ${alg}, no signature`, `${head}.${body}.`],
      [`alg ${alg}, old signature`, `${head}.${body}.${signature}`],
      [`alg ${alg}, short signature`, `${head}.${body}.AA`],
    ] as const;
  });
}

/** A public key taken for a shared secret (CVE-2016-10555), or one algorithm for another. */
export function confusedKeys({ header, body }: Parts, { jwks }: Loot): Attack[] {
  return jwks.flatMap((jwk) => {
    const key = createPublicKey({ key: jwk as never, format: 'jwk' });
    const secrets = [
      key.export({ type: 'spki', format: 'pem' }) as string,
      (key.export({ type: 'spki', format: 'pem' }) as string).trim(),
      key.export({ type: 'spki', format: 'der' }),
      JSON.stringify(jwk),
      Buffer.from(jwk['n'] ?? jwk['x'] ?? '', 'base64url'),
      '',
    ];
    const macs = ['HS256', 'HS384', 'HS512'].flatMap((alg) =>
      secrets.map((secret, index) => {
        const input = `${encode({ ...header, alg, kid: jwk['kid'] })}.${body}`;
        const mac = createHmac(`sha${alg.slice(2)}`, secret)
          .update(input)
          .digest('base64url');
        return [`${alg} with the public key as secret, form ${index}`, `${input}.${mac}`] as const;
      }),
    );
    const swapped = [
      'RS256',
      'RS384',
      'RS512',
      'PS256',
      'ES256',
      'ES384',
      'ES256K',
      'EdDSA',
      ' ES256',
      'es256',
      'RS256 ',
    ].map((alg) => {
      const input = `${encode({ ...header, alg, kid: jwk['kid'] })}.${body}`;
      return [`${alg} for a key of ${jwk['alg']}`, `${input}.${encode('x'.repeat(64))}`] as const;
    });
    return [...macs, ...swapped];
  });
}

/** A key of the attacker's own, brought along or put in place of ours. */
export function ownKeys({ header, body }: Parts, { canary, otherSource }: Loot): Attack[] {
  const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const jwk = { ...ec.publicKey.export({ format: 'jwk' }), kid: header['kid'], alg: 'ES256' };
  const brought: Record<string, unknown>[] = [
    {},
    { jwk },
    { jku: `${canary}/jwks` },
    { x5u: `${canary}/cert` },
    { jku: 'file:///etc/passwd' },
    { x5c: [encode('x')] },
    { x5t: 'x' },
    { crit: ['exp'], exp: 1 },
    { crit: [] },
    { b64: false, crit: ['b64'] },
    { zip: 'DEF' },
    { cty: 'JWT' },
    { kid: otherSource.kid },
    { jwk, kid: undefined },
  ];
  const kids = [
    '',
    '../../../../etc/passwd',
    "' OR 1=1 --",
    '__proto__',
    'constructor',
    'toString',
    'é',
    '\u0000',
    'x'.repeat(400),
    `${canary}/k`,
  ];
  const odd = [1, null, true, [], {}, [header['kid']], { kid: header['kid'] }];
  return [...brought, ...[...kids, ...odd].map((kid) => ({ kid }))].map((members) => {
    const input = `${encode({ ...header, ...members })}.${body}`;
    return [
      `own key, with ${JSON.stringify(members).slice(0, 60)}`,
      // The higher S would be refused whatever the key.
      withLowS(`${input}.${signed(input, ec.privateKey)}`),
    ] as const;
  });
}

function signed(input: string, key: KeyObject): string {
  return sign('sha256', Buffer.from(input), { key, dsaEncoding: 'ieee-p1363' }).toString('base64url');
}

/** The same signature under another header. */
export function oddHeaders({ header, body, signature, head }: Parts): Attack[] {
  const text = Buffer.from(head, 'base64url').toString();
  const headers: [string, string][] = [
    ['spaces', text.replace('{', '{ ')],
    ['typ at+jwt', JSON.stringify({ ...header, typ: 'at+jwt' })],
    ['typ in small letters', JSON.stringify({ ...header, typ: 'jwt' })],
    ['no typ', JSON.stringify({ ...header, typ: undefined })],
    ['typ an array', JSON.stringify({ ...header, typ: ['JWT'] })],
    ['alg an array', JSON.stringify({ ...header, alg: ['ES256'] })],
    ['alg twice', text.replace('{', '{"alg":"none",')],
    ['alg twice, good one first', text.replace('}', ',"alg":"none"}')],
    ['kid twice', text.replace('{', '{"kid":"x",')],
    ['__proto__', text.replace('{', '{"__proto__":{"alg":"none"},')],
    ['an array', JSON.stringify([header])],
    ['a string', '"x"'],
    ['null', 'null'],
    ['not JSON', '{'],
    ['deep', `${'['.repeat(200)}${']'.repeat(200)}`],
    ['a byte order mark', `\ufeff${text}`],
    ['a comment', `${text}/**/`],
  ];
  return headers.map(
    ([what, header_]) => [`header with ${what}`, `${encode(header_)}.${body}.${signature}`] as const,
  );
}
