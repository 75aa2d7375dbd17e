import fc from 'fast-check';
import { expect, test } from 'vitest';
import { hclHeredoc, hclString } from './hcl.ts';
import { hclArgument, hclStringValue, shellWords } from './parse-back.ts';
import { shellWord } from './shell.ts';

const texts = fc.oneof(
  fc.string({ unit: 'grapheme' }),
  fc.string({ unit: fc.constantFrom('$', '{', '}', '%', '"', '\\', "'", 'a', '*', ' ') }),
);

test('any text is the same again as a string of Terraform, and as a word of a shell', () => {
  fc.assert(
    fc.property(texts, (text) => {
      expect(hclStringValue(hclString(text))).toBe(text);
      if (text !== '') expect(shellWords(`cmd ${shellWord(text)}`)).toEqual(['cmd', text]);
    }),
  );
});

test('any JSON is the same again in a heredoc of Terraform', () => {
  fc.assert(
    fc.property(fc.dictionary(texts, texts), (value) => {
      const json = JSON.stringify(value, undefined, 2);
      const text = `resource "a" "b" {\n  policy = ${hclHeredoc(json, '  ')}\n}`;
      expect(JSON.parse(hclArgument(text, 'policy'))).toEqual(value);
    }),
  );
});
