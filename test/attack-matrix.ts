import { createHmac, createPublicKey, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';

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

const encode = (value: unknown) =>
  Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url');
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

type Parts = {
  head: string;
  body: string;
  signature: string;
  header: Record<string, unknown>;
  claims: Record<string, unknown>;
};

function withoutSignature({ header, body, signature }: Parts): Attack[] {
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
function confusedKeys({ header, body }: Parts, { jwks }: Loot): Attack[] {
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
function ownKeys({ header, body }: Parts, { canary, otherSource }: Loot): Attack[] {
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
      `${input}.${signed(input, ec.privateKey)}`,
    ] as const;
  });
}

function signed(input: string, key: KeyObject): string {
  return sign('sha256', Buffer.from(input), { key, dsaEncoding: 'ieee-p1363' }).toString('base64url');
}

/** The same signature under another header. */
function oddHeaders({ header, body, signature, head }: Parts): Attack[] {
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

/** Other spellings of the good token: one token is one string. */
function otherEncodings({ head, body, signature }: Parts): Attack[] {
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

/** Takes a token, how many, and a seed; gives that many different strings that are one or two mistakes away from it. */
export function* mutations(token: string, count: number, seed: number): Generator<string> {
  let state = seed;
  const random = (below: number) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_=.+/ ~';
  const one = (text: string) => {
    const at = random(text.length);
    const length = 1 + random(3);
    const letter = alphabet[random(alphabet.length)] ?? 'A';
    const rest = text.slice(at + length);
    const kinds = [
      () => text.slice(0, at) + letter + text.slice(at + 1),
      () => text.slice(0, at) + rest,
      () => text.slice(0, at) + letter + text.slice(at),
      () => text.slice(0, at) + text.slice(at, at + length) + text.slice(at),
      () => text.slice(0, at) + (text[at + 1] ?? '') + (text[at] ?? '') + text.slice(at + 2),
      () => text.slice(0, at),
      () =>
        text.slice(0, at) +
        String.fromCharCode((text.charCodeAt(at) ^ (1 << random(7))) & 0x7f) +
        text.slice(at + 1),
    ];
    return (kinds[random(kinds.length)] as () => string)();
  };
  for (let made = 0; made < count; ) {
    const mutated = random(4) === 0 ? one(one(token)) : one(token);
    if (mutated === token) continue;
    made += 1;
    yield mutated;
  }
}
