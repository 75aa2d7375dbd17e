import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createMasker } from './mask.ts';
import { secretBook } from './secret-book.ts';
import { testRequestToken, testToken } from './testing.ts';

type Encode = (secret: Buffer) => Buffer;

const text = (encode: (secret: Buffer) => string): Encode => {
  return (secret) => Buffer.from(encode(secret));
};
const base64 = (bytes: Buffer) => Buffer.from(bytes.toString('base64'));
const base64url = (bytes: Buffer) => Buffer.from(bytes.toString('base64url'));
const wrap = (bytes: Buffer, columns: number, lineEnd: string) =>
  Buffer.from(
    (bytes.toString('latin1').match(new RegExp(`[^]{1,${columns}}`, 'g')) ?? []).join(lineEnd),
    'latin1',
  );
const behind = (size: number, secret: Buffer) =>
  Buffer.concat([Buffer.alloc(size, 0x5a), secret, Buffer.from('tail')]);

const ENCODINGS: Record<string, Encode> = {
  'as it is': (secret) => secret,
  reversed: (secret) => Buffer.from(secret).reverse(),
  'in upper-case hex': text((secret) => secret.toString('hex').toUpperCase()),
  'in lower-case hex': text((secret) => secret.toString('hex')),
  'percent-encoded': text((secret) => encodeURIComponent(secret.toString())),
  'percent-encoded byte for byte': text((secret) => secret.toString('hex').replace(/../g, '%$&')),
  'with a word of it coloured, as grep does': (secret) =>
    Buffer.concat([secret.subarray(0, 3), Buffer.from('\x1b[01;31m\x1b[K'), secret.subarray(3, 6), Buffer.from('\x1b[m'), secret.subarray(6)]),
  'as a form field': text((secret) => new URLSearchParams({ a: secret.toString() }).toString().slice(2)),
  'in JSON': text((secret) => JSON.stringify(secret.toString()).slice(1, -1)),
  'in JSON as Go and PHP write it': text((secret) =>
    JSON.stringify(secret.toString())
      .slice(1, -1)
      .replaceAll('/', '\\/')
      .replace(/[<>&]/g, (mark) => `\\u00${mark.charCodeAt(0).toString(16)}`),
  ),
  'in JSON, then base64': (secret) => base64(behind(5, Buffer.from(JSON.stringify(secret.toString())))),
  'base64, then hex': text((secret) => base64(secret).toString('hex')),
  'hex, then base64': (secret) => base64(Buffer.from(secret.toString('hex'))),
  'base64, then percent-encoded': text((secret) => encodeURIComponent(base64(secret).toString())),
};
for (const before of [0, 1, 2]) {
  ENCODINGS[`base64 behind ${before} bytes`] = (secret) => base64(behind(before, secret));
  ENCODINGS[`base64url behind ${before} bytes`] = (secret) => base64url(behind(before, secret));
  for (const outer of [0, 1, 2]) {
    const name = `base64 behind ${before}, again behind ${outer} bytes`;
    ENCODINGS[name] = (secret) => base64(behind(outer, base64(behind(before, secret))));
    ENCODINGS[`${name}, url`] = (secret) => base64url(behind(outer, base64url(behind(before, secret))));
    for (const shift of [0, 1, 2, 3, 4]) {
      ENCODINGS[`${name}, the inner one wrapped, line end at ${shift}`] = (secret) => {
        const first = 75 + shift - Math.ceil((before * 8) / 6);
        const inner = Buffer.concat([Buffer.alloc(first, 0x41), base64(behind(before, secret))]);
        return base64(behind(outer, wrap(inner, 76, '\n')));
      };
    }
  }
}

/** More by hand, for a longer look: MAYFLY_PROPERTY_RUNS=200. */
const RUNS = Number(process.env['MAYFLY_PROPERTY_RUNS'] ?? 2);

const SECRETS: Record<string, string> = {
  'an ID token': testToken(),
  'a request token': testRequestToken(),
  'a password of eight characters': 'h&7"/<x\\',
  'a long password': 'q+ Zz/"ö\\n%41<&>=?p4ssw0rd-that-is-longer-than-most',
  'a private key': `-----BEGIN KEY-----\n${base64(Buffer.alloc(150, 'k3y!'))
    .toString()
    .match(/.{1,64}/g)
    ?.join('\n')}\n-----END KEY-----\n`,
};

const LAYOUTS: Record<string, (encoded: Buffer) => Buffer> = {
  'in one line': (encoded) => encoded,
  'wrapped at 76 columns': (encoded) => wrap(encoded, 76, '\n'),
  'wrapped at 76 columns with CR LF': (encoded) => wrap(encoded, 76, '\r\n'),
  'wrapped at 11 columns': (encoded) => wrap(encoded, 11, '\n'),
};

for (const [kind, secret] of Object.entries(SECRETS)) {
  test(`${kind} does not come through in any encoding, in one line or wrapped, whole or split`, () => {
    const book = secretBook();
    book.add(secret);
    const splits = fc.array(fc.integer({ min: 0, max: 6000 }), { maxLength: 12 });
    for (const [encoding, encode] of Object.entries(ENCODINGS)) {
      for (const [layout, lay] of Object.entries(LAYOUTS)) {
        const encoded = encode(Buffer.from(secret));
        const own = ownPart(secret, encode);
        const written = Buffer.concat([Buffer.from('before: '), lay(encoded), Buffer.from(' :after\n')]);
        fc.assert(
          fc.property(splits, (cuts) => {
            const output = run(book, pieces(written, cuts));
            expect(longestSeen(own, output), `${encoding}, ${layout}`).toBeLessThan(8);
            expect(output.toString().startsWith('before: ')).toBe(true);
            expect(output.toString().endsWith(' :after\n')).toBe(true);
          }),
          { numRuns: RUNS },
        );
      }
    }
  }, 600_000);
}

test('a secret is masked when it comes byte by byte, and of a short one at most a quarter is shown', () => {
  for (const secret of Object.values(SECRETS)) {
    const book = secretBook();
    book.add(secret);
    const masker = createMasker(book.index);
    const bytes = [...Buffer.from(`> ${secret} <`)].map((byte) => Buffer.of(byte));

    const output = Buffer.concat([
      ...bytes.flatMap((byte) => [masker.write(byte), masker.release()]),
      masker.end(),
    ]);

    const seen = longestSeen(secret, output);
    expect(seen).toBeLessThan(8);
    expect(seen * 4).toBeLessThanOrEqual(secret.length);
    expect(output.toString()).toContain('***');
  }
});

test('each part of a token is masked by itself, and the bytes of its signature too', () => {
  const token = testToken();
  const book = secretBook();
  book.add(token);
  const [header = '', payload = '', signature = ''] = token.split('.');
  const bytes = Buffer.from(signature, 'base64url');

  for (const part of [
    header,
    payload,
    signature,
    `${header}.${payload}`,
    bytes,
    bytes.toString('base64'),
    bytes.toString('hex'),
  ]) {
    expect(
      run(book, [Buffer.concat([Buffer.from('<'), Buffer.from(part), Buffer.from('>')])]).toString(),
    ).toMatch(/^<\*\*\*=*>$/);
  }
});

test('more than half of a token is masked though the rest never comes', () => {
  const token = testToken();
  const signature = token.split('.')[2] ?? '';
  const book = secretBook();
  book.add(token);

  expect(run(book, [Buffer.from(signature.slice(0, -3))]).toString()).toBe('***');
  expect(run(book, [Buffer.from(`${signature.slice(0, -3)} cut`)]).toString()).toBe('*** cut');
});

test('output without a secret passes unchanged, however it is split', () => {
  const book = secretBook();
  for (const secret of Object.values(SECRETS)) book.add(secret);
  const harmless = fc.oneof(
    fc.stringMatching(/^[A-Za-z0-9+/=\n\r %\\u_-]{0,300}$/),
    fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes).toString('latin1')),
  );
  fc.assert(
    fc.property(harmless, fc.array(fc.integer({ min: 0, max: 300 })), (words, cuts) => {
      const written = Buffer.from(words, 'latin1');
      expect(run(book, pieces(written, cuts)).toString('latin1')).toBe(words);
    }),
    { numRuns: 500 },
  );
});

test('an end of eight characters of a secret waits, a shorter one is shown after a short wait, other text at once', () => {
  const token = testToken();
  const book = secretBook();
  book.add(token);

  const other = createMasker(book.index);
  expect(other.write(Buffer.from('Password: ')).toString()).toBe('Password: ');
  expect(other.isWaiting()).toBe(false);
  const short = createMasker(book.index);
  expect(short.write(Buffer.from(`: ${token.slice(0, 7)}`)).toString()).toBe(': ');
  expect(short.isWaiting()).toBe(true);
  expect(short.release().toString()).toBe(token.slice(0, 7));
  const long = createMasker(book.index);
  expect(long.write(Buffer.from(`: ${token.slice(0, 8)}`)).toString()).toBe(': ');
  expect(long.isWaiting()).toBe(false);
  expect(long.write(Buffer.from('?')).toString()).toBe(`${token.slice(0, 8)}?`);
});

test('a secret that becomes known while the step runs is masked from then on', () => {
  const book = secretBook();
  book.add(testToken());
  const masker = createMasker(book.index);
  const next = testToken();
  masker.write(Buffer.from('hello: '));

  book.add(next);

  expect(Buffer.concat([masker.write(Buffer.from(next)), masker.end()]).toString()).toBe('***');
});

test('a token is masked until well after it has expired, then forgotten', () => {
  let now = 0;
  const book = secretBook(() => now);
  const [first, second] = [testToken(), testToken()];
  book.add(first, 300_000);
  now = 800_000;
  book.add(second, 1_100_000);
  expect(run(book, [Buffer.from(first)]).toString()).toBe('***');

  now = 1_000_000;
  book.add(testToken(), 1_300_000);

  expect(book.all()).not.toContain(first);
  expect(run(book, [Buffer.from(second)]).toString()).toBe('***');
});

test('a secret of seven characters, and more secrets than can be masked, are refused', () => {
  expect(() => secretBook().add('1234567')).toThrow(expect.objectContaining({ failure: 'masking' }));
  const many = Array.from({ length: 20_000 }, (_, count) => `secret number ${count}`).join('\n');
  expect(() => secretBook().add(many)).toThrow(expect.objectContaining({ failure: 'masking' }));
});

function run(book: ReturnType<typeof secretBook>, chunks: Buffer[]): Buffer {
  const masker = createMasker(book.index);
  return Buffer.concat([...chunks.map((chunk) => masker.write(chunk)), masker.end()]);
}

function pieces(bytes: Buffer, cuts: number[]): Buffer[] {
  const ends = [...cuts.map((cut) => cut % (bytes.length + 1)), bytes.length].toSorted(
    (one, other) => one - other,
  );
  return ends.map((end, index) => bytes.subarray(index === 0 ? 0 : ends[index - 1], end));
}

/** The longest piece of `own` that stands in the output, if it is 8 characters or fewer. */
function longestSeen(own: string, output: Buffer): number {
  const shown = output.toString('latin1').replace(/[\r\n]/g, '');
  let longest = 0;
  for (let at = 0; at < shown.length; at += 1) {
    while (longest < 8 && at + longest < shown.length && own.includes(shown.slice(at, at + longest + 1)))
      longest += 1;
  }
  return longest;
}

/** The encoded secret, as far as another secret of the same length would be written otherwise. */
function ownPart(secret: string, encode: Encode): string {
  const bare = encode(Buffer.from(secret))
    .toString('latin1')
    .replace(/[\r\n]/g, '');
  const other = encode(Buffer.from(secret.replace(/[A-Za-z0-9]/g, (letter) => (letter === 'm' ? 'n' : 'm'))))
    .toString('latin1')
    .replace(/[\r\n]/g, '');
  let start = 0;
  while (start < bare.length && bare[start] === other[start]) start += 1;
  let tail = 0;
  while (tail < bare.length - start && bare.at(-1 - tail) === other.at(-1 - tail)) tail += 1;
  return bare.slice(start, bare.length - tail);
}
