import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { eventually, given, runMayfly, script, startMayfly, temporaryDirectory } from './run-in-test.ts';
import { startStandInIssuer } from './stand-in-issuer.ts';
import { ownedPrefix, removeLeft } from './token-files-left.ts';

test('token files of a step whose mayfly was killed are gone when the next one starts, those of a running one stay', async () => {
  await using issuer = await startStandInIssuer();
  const env = { ...given(issuer), XDG_RUNTIME_DIR: temporaryDirectory() };
  const wait = ['exec', '--id-token', 'VAULT=v', ...script("console.log('ready'); process.stdin.resume()")];
  const [killed, running] = [startMayfly(wait, { env }), startMayfly(wait, { env })];
  await eventually(() => [killed, running].every(({ output }) => output.stdout.includes('ready')));
  killed.child.kill('SIGKILL');
  killed.child.stdin.end();
  await killed.ended;
  expect(readdirSync(env.XDG_RUNTIME_DIR)).toHaveLength(2);

  const code = `console.log(require('fs').readdirSync('${env.XDG_RUNTIME_DIR}').length)`;
  const { stdout } = await runMayfly(['exec', '--id-token', 'VAULT=v', ...script(code)], { env });

  expect(stdout).toBe('2\n');
  expect(readdirSync(env.XDG_RUNTIME_DIR)).toEqual([expect.stringContaining(`-${running.child.pid}-`)]);
  running.child.stdin.end();
  await running.ended;
  expect(readdirSync(env.XDG_RUNTIME_DIR)).toEqual([]);
});

test('a process that has the number of one that is gone does not keep its files', async () => {
  const place = temporaryDirectory();
  const [, pid = '', started, world] = ownedPrefix().split('-');
  const earlier = `mayfly-${pid}-${Number(started) - 1}-${world}-abcdef`;
  const own = `${ownedPrefix()}abcdef`;
  for (const name of [earlier, own]) mkdirSync(join(place, name));

  removeLeft([place, join(place, 'not there')]);

  expect(readdirSync(place)).toEqual([own]);
});

test('what may be of another container or of another make is left alone', async () => {
  const place = temporaryDirectory();
  const gone = await numberOfNobody();
  const [, , started, world] = ownedPrefix().split('-');
  const [elsewhere, unmarked, link] = [
    `mayfly-${gone}-${started}-00000000-abcdef`,
    'mayfly-abcdef',
    `mayfly-${gone}-${started}-${world}-abcdef`,
  ];
  for (const name of [elsewhere, unmarked, 'theirs']) mkdirSync(join(place, name));
  writeFileSync(join(place, 'theirs', 'kept'), '');
  symlinkSync(join(place, 'theirs'), join(place, link));

  removeLeft([place]);

  expect(readdirSync(place).toSorted()).toEqual([elsewhere, link, unmarked, 'theirs'].toSorted());
  expect(existsSync(join(place, 'theirs', 'kept'))).toBe(true);
});

async function numberOfNobody(): Promise<number> {
  const child = spawn(process.execPath, ['--version'], { stdio: 'ignore' });
  await once(child, 'exit');
  return child.pid ?? 0;
}
