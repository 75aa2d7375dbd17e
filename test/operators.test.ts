import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Ci, connectCi, eventually, startedEvent } from './ci.ts';
import { mayfly } from './mayfly.ts';
import { isActive } from './relying-party.ts';
import { type TestSystem, testSystem } from './system.ts';

let system: TestSystem;
let ci: Ci;
beforeAll(async () => {
  system = await testSystem();
  ci = await connectCi(system);
});
afterAll(async () => {
  await ci[Symbol.asyncDispose]();
  await system[Symbol.asyncDispose]();
});

test('mayfly builds revoke ends a build, and says what it did', async () => {
  await ci.start({ id: 'taken-over' });
  const token = (await ci.heard('taken-over')).data.id_tokens['API_TOKEN'] as string;

  const { code, stdout } = await mayfly(
    system,
    'builds',
    'revoke',
    'taken-over',
    '--source',
    'acme',
    '--reason',
    'test',
  );

  expect([code, stdout]).toEqual([
    0,
    'build taken-over of acme, attempt 1, ends; its tokens are inactive from now on\n',
  ]);
  await eventually(async () => (await isActive(system, token)) === false, 'end');
});

test('mayfly dead-letters lists, shows and replays, as text and as JSON', async () => {
  const { seq } = await ci.publish(
    'ci.acme.build.started',
    JSON.stringify({ ...startedEvent('acme', { id: 'x' }), extra: '\u001b[2J' }),
  );
  await eventually(
    async () => (await mayfly(system, 'dead-letters', 'list')).stdout.includes('ci.acme.build.started'),
    'dead letter',
  );

  const { stdout } = await mayfly(system, 'dead-letters', 'list', '--source', 'acme', '--json');
  const { dead_letters } = JSON.parse(stdout) as {
    dead_letters: { number: number; seq: number; error: string }[];
  };
  const letter = dead_letters.find((one) => one.seq === seq);
  expect(letter?.error).toBe('invalid_request');
  const shown = await mayfly(system, 'dead-letters', 'show', String(letter?.number));
  expect(shown.stderr).toBe('');
  expect(shown.stdout).toContain('must not have extra');
  expect(shown.stdout).not.toContain('\u001b');
  expect((await mayfly(system, 'dead-letters', 'replay', String(letter?.number))).stdout).toMatch(
    /sent again on ci\.acme\.build\.started/,
  );
});

test.for([
  [['builds', 'revoke'], 2],
  [['builds', 'revoke', 'none', '--source', 'acme', '--reason', 'x'], 4],
  [['dead-letters', 'show', '9999'], 4],
  [['dead-letters', 'list', '--nats', 'nats://127.0.0.1:1'], 5],
] as const)('mayfly %j ends with code %i and one line that says why', async ([args, expected]) => {
  const { code, stderr } = await mayfly(system, ...args);

  expect(code).toBe(expected);
  expect(stderr.trim().split('\n')).toHaveLength(1);
});
