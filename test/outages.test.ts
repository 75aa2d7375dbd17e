import type { TokenGrant } from '@mayfly/contracts/events';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { type Ci, connectCi, eventually } from './ci.ts';
import { type Answer, introspectOnce, isActive, requestTokenOnce } from './relying-party.ts';
import { type TestSystem, testSystem } from './system.ts';

const AUDIENCE = `audience=${encodeURIComponent('https://api.example.com')}`;
const DOCUMENTS = [
  '/acme/.well-known/openid-configuration',
  '/.well-known/oauth-authorization-server/acme',
  '/acme/jwks',
];
let system: TestSystem;
let ci: Ci;
let grant: TokenGrant;
let token: string;
beforeAll(async () => {
  // One of each on any engine: a service that is gone or paused here must be all that there is of it.
  system = await testSystem({ replicas: 1 });
  ci = await connectCi(system);
  await ci.start({ id: 'outage' });
  grant = await ci.heard('outage');
  token = grant.data.id_tokens['API_TOKEN'] as string;
});
afterEach(() => eventually(() => isActive(system, token).catch(() => false), 'recovery', 30_000));
afterAll(async () => {
  await ci[Symbol.asyncDispose]();
  await system[Symbol.asyncDispose]();
});

/** Asks three times, and looks at each answer; gives how long the quickest took, ms: each may wait for the machine as well. */
async function quickest(ask: () => Promise<Answer>, look: (answer: Answer) => void): Promise<number> {
  const took: number[] = [];
  for (let times = 0; times < 3; times++) {
    const started = performance.now();
    const answer = await ask();
    took.push(performance.now() - started);
    look(answer);
  }
  return Math.min(...took);
}

async function during(part: string, how: 'gone' | 'paused', act: () => Promise<void>): Promise<void> {
  await (how === 'gone' ? system.kill(part) : system.pause(part));
  try {
    await act();
  } finally {
    await (how === 'gone' ? system.start(part) : system.resume(part));
  }
}

test.for([
  ['key-manager', 'gone'],
  ['key-manager', 'paused'],
  ['redis', 'gone'],
  ['redis', 'paused'],
] as const)(
  'with %s %s a request for a token is answered 503 with Retry-After within a second',
  async ([part, how]) => {
    await during(part, how, async () => {
      const ms = await quickest(
        () => requestTokenOnce(system, grant, AUDIENCE),
        ({ status, headers }) => {
          expect(status).toBe(503);
          expect(Number(headers.get('retry-after'))).toBeGreaterThan(0);
        },
      );
      expect(ms).toBeLessThan(1000);
    });
  },
);

test.for(['gone', 'paused'] as const)(
  'with redis %s introspection says neither yes nor no, within 250 ms',
  async (how) => {
    await during('redis', how, async () => {
      await introspectOnce(system, token);
      const ms = await quickest(
        () => introspectOnce(system, token),
        ({ status, text }) => {
          expect(status).toBe(503);
          expect(text).not.toContain('active');
        },
      );
      expect(ms).toBeLessThan(250);
    });
  },
);

test('without build-lifecycle introspection stops saying yes', async () => {
  await during('build-lifecycle', 'gone', async () => {
    await eventually(async () => (await introspectOnce(system, token)).status === 503, '503');
  });
});

test('discovery and key set are served with NATS and Redis gone, and after a restart without either', async () => {
  const before = await Promise.all(DOCUMENTS.map(readDocument));
  await system.kill('nats');
  await system.kill('redis');
  try {
    expect(await Promise.all(DOCUMENTS.map(readDocument))).toEqual(before);
    await system.kill('jwks-publisher');
    await system.start('jwks-publisher');
    expect(await Promise.all(DOCUMENTS.map(readDocument))).toEqual(before);
  } finally {
    await system.start('redis');
    await system.start('nats');
  }
  expect(before.map(({ status }) => status)).toEqual([200, 200, 200]);
});

async function readDocument(path: string) {
  const response = await fetch(system.urlOf('jwks-publisher') + path);
  return { status: response.status, etag: response.headers.get('etag'), body: await response.text() };
}
