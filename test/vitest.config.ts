import { defineConfig } from 'vitest/config';

const isContainers = process.env['MAYFLY_TEST_ENGINE'] === 'containers';

/** What does not run on containers, file by file, and why: containers would tell nothing new, or cannot do it. */
const ON_PROCESSES_ONLY: Record<string, string> = {
  attack: 'about how tokens are read, which the same code does in an image',
  backlog: 'holds latencies to a limit that the network of containers is no part of',
  clock: 'sets the clocks of processes with a library that it loads into them',
  cluster: 'a cluster of NATS of its own',
  concourse: 'about the command on a runner, and a Vault',
  disk: 'mounts a small disk under the data of a server',
  exec: 'about the command on a runner',
  failover: 'a cluster of NATS and a Redis behind Sentinel of its own',
  frozen: 'reads the memory of processes, and pauses a Redis of its own',
  gitlab: 'about the command on a runner, and a Vault',
  guides: 'about what a guide tells a CI system to do',
  histories: 'a Redis of its own and no service',
  interop: 'about the software of relying parties',
  'keys-contest': 'a cluster of NATS of its own',
  'keys-custody': 'looks into the memory and the files of key-manager',
  'keys-emergency': 'holds latencies to a limit that the network of containers is no part of',
  'keys-leaks': 'reads every file that processes write',
  'keys-revoke': 'holds latencies to a limit that the network of containers is no part of',
  'keys-signing': 'a key-manager of its own and no other service',
  n8n: 'about n8n, which runs on this machine',
  'profiles-schema': 'no server at all',
  proxy: 'about nginx and Caddy, which run on this machine',
  'publisher-limits': 'measures what the network of containers is no part of',
  rebuild: 'measures the time to rebuild, which the network of containers is no part of',
  refusals: 'a NATS of its own and no service',
  restore: 'copies the files of servers',
  recovery: 'measures the time to recover, which the network of containers is no part of',
  'runner-client': 'about the client on a runner',
  sdk: 'about the SDKs of clouds on a runner',
  start: 'about `npm start`, which runs processes',
  vault: 'about a Vault, with no server of ours',
};
const fileOf = (name: string) => `${name}.test.ts`;

if (isContainers && process.env['MAYFLY_TEST_REPLICAS'] !== '2') {
  for (const [name, reason] of Object.entries(ON_PROCESSES_ONLY)) {
    console.log(`not on containers: ${fileOf(name)}: ${reason}`);
  }
}

/** Faults that take their time: `npm run test:full`. */
const FULL_ONLY = [...['backlog', 'clock', 'disk', 'failover', 'frozen', 'publisher-limits', 'recovery']].map(
  fileOf,
);

/** Those that hold times to a limit, or have to see what lasts two seconds, have the machine to themselves. */
const MEASURING = ['chaos', 'introspect', 'keys-revoke', 'outages', 'projection', 'rebuild'].map(fileOf);
const isMeasuring = process.env['MAYFLY_TEST_MEASURING'];

/** System tests: each file has systems of its own, two files at a time: of more of them, a slow machine misses deadlines. */
export default defineConfig({
  test: {
    include: isMeasuring === '1' ? MEASURING : ['*.test.ts'],
    exclude: isContainers
      ? Object.keys(ON_PROCESSES_ONLY).map(fileOf)
      : isMeasuring === '0'
        ? [...MEASURING, ...FULL_ONLY]
        : [],
    testTimeout: 120_000,
    hookTimeout: 180_000,
    pool: 'forks',
    maxWorkers: isContainers || isMeasuring !== '0' ? 1 : 2,
    setupFiles: ['./ports.ts', './after-file.ts'],
  },
});
