import { randomBytes } from 'node:crypto';
import { constants, gzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { leakWatch } from './leak-watch.ts';
import { testToken } from './testing.ts';

const LOOK_AT_BYTES = 256 * 1024;

function leaksIn(token: string, outputs: Buffer[], isLookedAtEach = false): string[] {
  const found: string[] = [];
  const watch = leakWatch(
    () => [token],
    (form) => found.push(form),
  );
  for (const output of outputs) {
    watch.see(output);
    if (isLookedAtEach) watch.end();
  }
  watch.end();
  return found;
}

test('a token that stands across two looks at the output is found, wherever the first one ends', () => {
  const token = testToken();
  const spaced = Buffer.from([...token].join(' '));
  for (const shown of [0, 1, spaced.length >> 1, spaced.length - 400, spaced.length]) {
    const before = Buffer.alloc(LOOK_AT_BYTES - shown, 'an ordinary line of output\n');

    expect(leaksIn(token, [before, spaced])).toContain('spaced out');
    expect(leaksIn(token, [Buffer.concat([before, before, spaced, before])])).toContain('spaced out');
  }
});

test('only what is secret of a token, and whole, is a leak', () => {
  const token = testToken();
  const [header = '', payload = '', signature = ''] = token.split('.');
  const harmless = [[...signature].toReversed().join(''), header, payload, signature.slice(0, -1)];

  expect(leaksIn(token, [Buffer.from(harmless.map((part) => [...part].join(' ')).join('\n'))])).toEqual([]);
});

const lines = (size: number) => Buffer.alloc(size, 'an ordinary line of output\n');
/** Text that takes nearly as much room when it is compressed. */
const noise = (size: number) => randomBytes(size).toString('base64').slice(0, size);
const inBase64 = (bytes: Buffer) => Buffer.from(bytes.toString('base64').replace(/.{76}/g, '$&\n'));

test('a token at the beginning of an archive is found, however much the whole of it unpacks to', () => {
  const token = testToken();
  for (const before of [lines(0), lines(1_900_000), Buffer.from(noise(100_000))]) {
    const archive = gzipSync(Buffer.concat([before, Buffer.from(token), lines(16 * 1024 * 1024)]));

    expect(archive.length).toBeLessThan(160 * 1024);
    expect(leaksIn(token, [archive])).toContain('compressed with gzip');
    expect(leaksIn(token, [Buffer.from('log: '), inBase64(archive)])).toContain('compressed with gzip');
  }
});

test('a token in an archive is found, whatever stands behind that and in its header', () => {
  const token = testToken();
  const named = gzipSync(token);
  named[3] = 0x08;
  const withName = Buffer.concat([named.subarray(0, 10), Buffer.from('token.txt\0'), named.subarray(10)]);
  for (const text of [`${token}`, `${token} `, `${token}  `]) {
    for (const archive of [gzipSync(text), withName, Buffer.concat([gzipSync('another'), gzipSync(text)])]) {
      for (const written of [archive, inBase64(archive)]) {
        const outputs = [lines(100), written, Buffer.from('\ndone: all that was to do\n')];

        expect(leaksIn(token, outputs)).toEqual(['compressed with gzip']);
      }
    }
  }
});

test('what can be read of an archive that is broken further on is read', () => {
  const token = testToken();
  const text = `${noise(20_000)}${token}${noise(1_000)}`;
  const cut = gzipSync(text, { finishFlush: constants.Z_SYNC_FLUSH });
  const noBlock = Buffer.alloc(10_000, 0xff);

  expect(leaksIn(token, [Buffer.concat([cut, noBlock])])).toEqual(['compressed with gzip']);
});

test('a token in an archive that comes in pieces, with a look after each, is found within 128 KiB of its beginning', () => {
  const token = testToken();
  const archive = gzipSync(`${noise(110_000)}${token}`);
  for (const written of [archive, inBase64(archive)]) {
    const [one, other] = [written.subarray(0, 16_000), written.subarray(16_000)];
    const outputs = [lines(200_000), one, other.subarray(0, 60_000), other.subarray(60_000), lines(100)];

    expect(written.length).toBeLessThan(128 * 1024);
    expect(leaksIn(token, outputs, true)).toContain('compressed with gzip');
  }
});
