import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { countResults } from './report.ts';

function countOf(assertionResults: object[]) {
  const folder = mkdtempSync(join(tmpdir(), 'mayfly-report-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const report = { testResults: [{ name: '/project/test/a.test.ts', message: 'broken', assertionResults }] };
  writeFileSync(join(folder, 'a.json'), JSON.stringify(report));
  const said: string[] = [];
  return { counts: countResults(folder, '/project', (line) => said.push(line)), said };
}

test('a skip is counted and said with its reason', () => {
  const { counts, said } = countOf([
    { status: 'passed', fullName: 'one' },
    { status: 'skipped', fullName: 'two (of them)', meta: { skipped: 'no disk here' } },
  ]);

  expect(counts).toEqual({ passed: 1, failed: 0, skipped: 1 });
  expect(said).toEqual(['skipped: two (of them) (no disk here)']);
});

test.for(['skipped', 'pending', 'todo'])('%s without a reason is a failure', (status) => {
  const { counts, said } = countOf([{ status, fullName: 'one', meta: {} }]);

  expect(counts).toEqual({ passed: 0, failed: 1, skipped: 0 });
  expect(said[0]).toContain('failed: test/a.test.ts: one: skipped without a reason');
});

test('a failure is said in one line with its place, and a file without tests is one', () => {
  const failureMessages = ['it is not so\n  at /project/test/a.test.ts:7:3'];

  expect(countOf([{ status: 'failed', fullName: 'one', failureMessages }]).said).toEqual([
    'failed: test/a.test.ts: one: it is not so at /test/a.test.ts:7:3',
  ]);
  expect(countOf([])).toEqual({
    counts: { passed: 0, failed: 1, skipped: 0 },
    said: ['failed: test/a.test.ts: the file itself: broken '],
  });
});
