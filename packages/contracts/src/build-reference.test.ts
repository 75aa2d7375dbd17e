import { createSecretKey } from 'node:crypto';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  deriveRequestToken,
  isRequestToken,
  readBuildReference,
  readRequestToken,
  requestTokenEnds,
  writeBuildReference,
} from './build-reference.ts';

const key = createSecretKey(Buffer.alloc(32, 1));
const otherKey = createSecretKey(Buffer.alloc(32, 2));
const source = fc.stringMatching(/^[a-z0-9][a-z0-9-]{0,31}$/);
const id = fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9._~:@+=#/-]{0,127}$/);
const reference = fc.record({ source, id, attempt: fc.integer({ min: 1, max: 65535 }) });

test('a build reference reads back as what it was written from, and no two builds share one', () => {
  fc.assert(
    fc.property(reference, (one) => {
      expect(readBuildReference(writeBuildReference(one))).toEqual(one);
    }),
  );
  fc.assert(
    fc.property(reference, reference, (one, other) => {
      fc.pre(JSON.stringify(one) !== JSON.stringify(other));
      expect(writeBuildReference(one)).not.toBe(writeBuildReference(other));
    }),
  );
});

test('a request token names its build, and is good for it alone', () => {
  fc.assert(
    fc.property(reference, (one) => {
      const token = deriveRequestToken(one, 'digest', key);
      expect(readRequestToken(token)).toEqual(one);
      const isOf = (...of: Parameters<typeof requestTokenEnds>) =>
        isRequestToken(token, requestTokenEnds(...of));
      expect(isOf(one, 'digest', [key])).toBe(true);
      expect(isOf(one, 'other', [key])).toBe(false);
      expect(isOf({ ...one, attempt: one.attempt + 1 }, 'digest', [key])).toBe(false);
      expect(isOf(one, 'digest', [otherKey])).toBe(false);
      expect(isOf(one, 'digest', [otherKey, key])).toBe(true);
      expect(isOf(one, 'digest', [])).toBe(false);
    }),
  );
});

test.for([
  '',
  'mfr_',
  'mfr_x_y',
  `mfr_!!!!!!!!_${'A'.repeat(43)}`,
  `gho_YWNtZS8xLzQy_${'A'.repeat(43)}`,
  `mfr_YWNtZS8xLzQy_${'A'.repeat(44)}`,
])('%s is no request token', (text) => {
  expect(readRequestToken(text)).toBeUndefined();
});
