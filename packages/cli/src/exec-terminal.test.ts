import { spawn } from 'node:child_process';
import { text } from 'node:stream/consumers';
import { expect, test } from 'vitest';
import { given, temporaryDirectory } from './run-in-test.ts';
import { type StandInIssuer, startStandInIssuer } from './stand-in-issuer.ts';

const MAIN = `${import.meta.dirname}/main.ts`;

/** Runs mayfly at a terminal, which util-linux's `script` makes; gives what is seen there. */
async function atTerminal(issuer: StandInIssuer, args: string[], input = '') {
  const words = [process.execPath, MAIN, 'exec', ...args].map((word) => `'${word.replaceAll("'", "'\\''")}'`);
  const child = spawn('script', ['-qefc', `stty -echo; ${words.join(' ')}`, '/dev/null'], {
    env: {
      PATH: process.env['PATH'],
      XDG_RUNTIME_DIR: temporaryDirectory(),
      SHELL: '/bin/sh',
      ...given(issuer),
    },
  });
  child.stdin.write(input);
  const ended = new Promise<number | null>((resolve) => child.on('exit', resolve));
  const seen = await text(child.stdout);
  return { seen: seen.replaceAll(/\r+\n/g, '\n'), code: await ended };
}

test('at a terminal the command has a terminal for all three, its output is masked, and its exit code passes through', async () => {
  await using issuer = await startStandInIssuer();
  const line = 'for fd in 0 1 2; do test -t $fd && echo "$fd is one"; done; echo "$VAULT $SHELL $1"; exit 42';

  const args = ['--id-token', 'VAULT=v', '--', 'sh', '-c', line, 'sh', "it's a b"];
  const { seen, code } = await atTerminal(issuer, args);

  expect({ seen, code }).toEqual({ seen: "0 is one\n1 is one\n2 is one\n*** /bin/sh it's a b\n", code: 42 });
});

test('at a terminal what is typed reaches the command', async () => {
  await using issuer = await startStandInIssuer();

  const { seen } = await atTerminal(issuer, ['--', 'sh', '-c', 'read word; echo "got $word"'], 'hello\n');

  expect(seen).toContain('got hello\n');
});
