import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished, test } from 'vitest';
import { countResults } from './report.ts';

const root = fileURLToPath(new URL('..', import.meta.url));

const FAILING = `import { afterAll, describe, expect, test } from 'vitest';
afterAll(async () => {
  await using stack = new AsyncDisposableStack();
  stack.defer(() => { throw new Error('nor its folder'); });
  stack.defer(() => { throw new Error('the file cannot be cleaned up'); });
});
describe('a group', () => {
  afterAll(() => { throw new Error('the group cannot be cleaned up'); });
  test('of promises', async () => {
    void Promise.reject(new Error('nobody waits for this'));
    await new Promise((resolve) => setTimeout(resolve, 20));
  });
});`;

test('what fails outside of a test is counted and said as a failure, though every test passed', () => {
  const folder = mkdtempSync(join(tmpdir(), 'mayfly-failures-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const results = join(folder, 'results');
  mkdirSync(results);
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'));
  writeFileSync(join(folder, 'a.test.ts'), FAILING);

  const runner = join(root, 'node_modules', 'vitest', 'vitest.mjs');
  const config = join(root, 'vitest.shared.ts');
  spawnSync(process.execPath, [runner, 'run', '--config', config, '--root', folder], {
    cwd: folder,
    env: { ...process.env, MAYFLY_RESULTS: results, VITEST: undefined },
  });

  const said: string[] = [];
  const counts = countResults(results, folder, (line) => said.push(line));
  expect(counts).toEqual({ passed: 1, failed: 3, skipped: 0 });
  expect(said.toSorted((one, other) => one.localeCompare(other))).toEqual([
    expect.stringMatching(
      /^failed: a.test.ts: around its tests: .*nor its folder.*the file cannot be cleaned up/,
    ),
    expect.stringContaining('failed: a.test.ts: around the tests of a group: Error: the group cannot'),
    expect.stringContaining('failed: a.test.ts: caught by nobody, in or after "of promises": Error: nobody'),
  ]);
});
