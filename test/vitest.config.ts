import { defineConfig } from 'vitest/config';

const isContainers = process.env['MAYFLY_TEST_ENGINE'] === 'containers';

/** System tests: each file has systems of its own, two files at a time on two cores. */
export default defineConfig({
  test: {
    include: ['*.test.ts'],
    testTimeout: 60_000,
    hookTimeout: 60_000,
    pool: 'forks',
    maxWorkers: isContainers ? 1 : 2,
    setupFiles: ['./ports.ts'],
  },
});
