import { expect, test } from 'vitest';
import { leakWatch } from './leak-watch.ts';
import { testToken } from './testing.ts';

const LOOK_AT_BYTES = 256 * 1024;

function leaksIn(token: string, outputs: Buffer[]): string[] {
  const found: string[] = [];
  const watch = leakWatch(
    () => [token],
    (form) => found.push(form),
  );
  for (const output of outputs) watch.see(output);
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
