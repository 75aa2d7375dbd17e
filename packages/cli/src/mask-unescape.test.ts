import { expect, test } from 'vitest';
import { pieces, run } from './mask-in-test.ts';
import { secretBook } from './secret-book.ts';
import { testToken } from './testing.ts';

/** What a masker that knows this secret makes of a text, wherever that is cut in two. */
function maskings(secret: string, written: string): Set<string> {
  const book = secretBook();
  book.add(secret);
  const bytes = Buffer.from(written);
  const outputs = Array.from({ length: bytes.length }, (_, cut) =>
    run(book, pieces(bytes, [cut])).toString(),
  );
  return new Set(outputs);
}

test('a token is masked whose pieces are coloured in 24 bits, letters and ground', () => {
  const token = testToken();
  for (const colours of [
    '48;2;144;16;17;38;2;248;248;242',
    '0;1;3;4:3;58:2::240:143:104;38;2;248;248;242;48;2;39;40;34',
  ]) {
    const coloured = (token.match(/.{1,30}/g) ?? []).join(`\x1b[${colours}m`);

    expect(maskings(token, `before: ${coloured} :after\n`)).toEqual(new Set(['before: *** :after\n']));
  }
});

test('a secret with a character beyond 16 bits is masked in JSON that escapes it in two halves', () => {
  const secret = 'p😀ssword 😀';
  const escaped = secret.replace(/[^ -~]/g, (half) => `\\u${half.charCodeAt(0).toString(16)}`);

  expect(escaped).toBe('p\\ud83d\\ude00ssword \\ud83d\\ude00');
  expect(maskings(secret, `{"a":"${escaped}"}\n`)).toEqual(new Set(['{"a":"***"}\n']));
});

test('half a character in JSON says nothing, and what is around it is masked and passes as before', () => {
  const secret = 'correct \ufffd horse';
  const alone = secret.replace('\ufffd', '\\ud83d');

  expect(maskings(secret, `"${alone}"\n`)).toEqual(new Set(['"***"\n']));
  for (const other of [
    '\\ud83d\\u0041',
    '\\ud83d\\n',
    '\\ud83dx',
    '\\ude00\\ud83d',
    '\\ud83d\\ud',
    '\\ud83d',
  ])
    expect(maskings(secret, `"${other}`)).toEqual(new Set([`"${other}`]));
});
