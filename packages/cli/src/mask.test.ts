import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createMasker } from './mask.ts';
import { SECRETS } from './mask-encodings.ts';
import { longestSeen, pieces, run } from './mask-in-test.ts';
import { secretBook } from './secret-book.ts';
import { testToken } from './testing.ts';

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

test.each(['', 'q', 'q3-Vx_90pLk2m'])(
  'line ends without end cost no more the more there were (after %j)',
  (beginning) => {
    const book = secretBook();
    book.add('q3-Vx_90pLk2mZ8sT7yRw4Nc6bHd1fGj');
    const masker = createMasker(book.index);
    const chunk = Buffer.alloc(64 * 1024, '\n');
    const many = 160;
    const wrote = () => {
      const started = performance.now();
      let length = 0;
      for (let at = 0; at < many; at += 1) length += masker.write(chunk).length;
      return { ms: performance.now() - started, length };
    };

    masker.write(Buffer.from(beginning));
    const runs = Array.from({ length: 6 }, wrote);
    const rest = masker.end().length;

    const total = runs.reduce((sum, { length }) => sum + length, rest);
    expect(total).toBe(beginning.length + 6 * many * chunk.length);
    // Kept all, the last 30 MiB would take many times as long as the first: of each half the quickest counts.
    const quickest = (half: typeof runs) => Math.min(...half.map(({ ms }) => ms));
    expect(quickest(runs.slice(3))).toBeLessThan(3 * quickest(runs.slice(0, 3)) + 50);
  },
);

test('a secret is masked though many lines that are empty stand before it, and within it', () => {
  const secret = 'q3-Vx_90pLk2mZ8sT7yRw4Nc6bHd1fGj';
  const book = secretBook();
  book.add(secret);
  const lines = '\n'.repeat(100_000);
  const text = Buffer.from(`x${lines}${secret.slice(0, 10)}${lines}${secret.slice(10)}${lines}y`);

  for (const size of [1024, 64 * 1024, text.length]) {
    const chunks = Array.from({ length: Math.ceil(text.length / size) }, (_, at) =>
      text.subarray(at * size, (at + 1) * size),
    );
    expect(run(book, chunks).toString()).toBe(`x${lines}***${lines}y`);
  }
});

test('of a secret that is broken up by a million line ends no more is shown than of one that is cut off, and a long one is held as long as it takes', () => {
  const inPieces = (text: string) => {
    const bytes = Buffer.from(text);
    return Array.from({ length: Math.ceil(bytes.length / 65_536) }, (_, at) =>
      bytes.subarray(at * 65_536, (at + 1) * 65_536),
    );
  };
  const masking = (secret: string) => {
    const book = secretBook();
    book.add(secret);
    return (text: string) => run(book, inPieces(text));
  };
  const secret = 'q3-Vx_90pLk2mZ8sT7yRw4Nc6bHd1fGj';
  const long = randomBytes(450_000).toString('base64url');

  const broken = masking(secret)(`${secret.slice(0, 31)}${'\n'.repeat(1_200_000)}${secret.slice(31)}`);
  const whole = masking(long)(`a ${Buffer.from(long).toString('hex')} b`);

  expect(longestSeen(secret, broken)).toBeLessThan(8);
  expect(whole.toString()).toBe('a *** b');
}, 60_000);
