import { basename } from 'node:path';
import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

const results = process.env['MAYFLY_RESULTS'];
const failures = fileURLToPath(new URL('infra/failures-reporter.ts', import.meta.url));

/** How every workspace runs the tests that stand beside its files. */
export default defineConfig({
  test: {
    include: ['src/**/*.test.ts', '*.test.ts'],
    testTimeout: 30_000,
    // A second, which it is otherwise, is what a busy machine may take for one answer.
    expect: { poll: { timeout: 10_000 } },
    reporters: results ? ['default', 'json', failures] : ['default'],
    ...(results ? { outputFile: { json: `${results}/${basename(process.cwd())}.json` } } : {}),
  },
});
