import { defineConfig } from 'vitest/config';

const isContainers = process.env['MAYFLY_TEST_ENGINE'] === 'containers';

/**
 * What containers would tell nothing new about: these do something to processes, disks and clocks of their own making,
 * or are about what runs outside the system (the command on a runner, the software of relying parties, Vault, n8n).
 */
const ON_PROCESSES_ONLY = [
  ...['attack', 'backlog', 'clock', 'disk', 'exec', 'frozen', 'gitlab', 'concourse', 'guides', 'histories'],
  ...['interop', 'keys-*', 'n8n', 'profiles-schema', 'proxy', 'publisher-limits', 'rebuild', 'recovery'],
  ...['runner-client', 'sdk', 'start'],
].map((name) => `${name}.test.ts`);

/** Faults that take their time: `npm run test:full`. */
const FULL_ONLY = ['backlog', 'clock', 'disk', 'frozen', 'publisher-limits', 'recovery'].map(
  (name) => `${name}.test.ts`,
);

/** Those that hold latencies to a limit have the machine to themselves. */
const MEASURING = ['chaos', 'introspect', 'keys-revoke'].map((name) => `${name}.test.ts`);
const isMeasuring = process.env['MAYFLY_TEST_MEASURING'];

/** System tests: each file has systems of its own, three files at a time: they wait more than they work. */
export default defineConfig({
  test: {
    include: isMeasuring === '1' ? MEASURING : ['*.test.ts'],
    exclude: isContainers ? ON_PROCESSES_ONLY : isMeasuring === '0' ? [...MEASURING, ...FULL_ONLY] : [],
    testTimeout: 60_000,
    hookTimeout: 60_000,
    pool: 'forks',
    maxWorkers: isContainers || isMeasuring !== '0' ? 1 : 3,
    setupFiles: ['./ports.ts'],
  },
});
