import { EventEmitter } from 'node:events';
import { PassThrough, Transform, Writable } from 'node:stream';
import { finished } from 'node:stream/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { expect, test, vi } from 'vitest';
import { CommandError } from './exit-codes.ts';
import { exitOf, runStep } from './run-step.ts';

test('where the output cannot be masked any more it stops: what comes then is not shown, and the step fails', async () => {
  const outputs = { stdout: new PassThrough(), stderr: new PassThrough() };
  let shown = '';
  outputs.stdout.on('data', (text) => {
    shown += text;
  });
  const guard = () =>
    new Transform({
      transform(chunk, _encoding, done) {
        if (String(chunk).includes('second')) done(new CommandError('masking', 'no longer'));
        else done(null, chunk);
      },
    });
  const command = ['sh', '-c', 'echo first; echo second; echo third'];

  const step = runStep({
    ...{ command, environment: process.env, isInputUsed: true, guard, outputs, onSignal: () => {} },
  });

  await expect(step).rejects.toMatchObject({ failure: 'masking' });
  expect(shown).not.toMatch(/second|third/);
});

test('whoever reads the output slowly is given all of it, though the command has ended long ago', async () => {
  let shown = 0;
  const slow = new Writable({
    write(chunk, _encoding, done) {
      shown += (chunk as Buffer).length;
      // Slower than what nothing may come for.
      setTimeout(done, 400);
    },
  });
  const outputs = { stdout: slow, stderr: new PassThrough() };
  const command = ['sh', '-c', 'head -c 300000 /dev/zero'];

  const step = runStep({
    ...{ command, environment: process.env, isInputUsed: true, outputs, onSignal: () => {} },
    ...{ guard: () => new PassThrough(), idleMs: 300 },
  });

  expect(await step).toBe(0);
  await finished(slow.end());
  expect(shown).toBe(300_000);
}, 30_000);

test.for([
  ['before the command ended', 'trap "exit 7" TERM; echo began; while :; do sleep 0.05; done'],
  ['after it ended', 'echo began; exit 7'],
])(
  'what a command leaves behind, and writes on, holds up no end that was asked for %s',
  async ([when, rest]) => {
    const outputs = { stdout: new PassThrough(), stderr: new PassThrough() };
    let handle: ((signal: NodeJS.Signals) => void) | undefined;
    const seen = new Set<string>();
    outputs.stdout.on('data', (text) => {
      for (const line of String(text).trim().split('\n')) seen.add(line);
    });
    const left = '(while echo left; do sleep 0.05; done) & ';
    const step = runStep({
      ...{ command: ['sh', '-c', left + rest], environment: process.env, isInputUsed: true, outputs },
      ...{ guard: () => new PassThrough(), idleMs: when === 'after it ended' ? 60_000 : 500 },
      onSignal: (handler) => {
        handle = handler;
      },
    });
    await vi.waitFor(() => expect(seen).toEqual(new Set(['began', 'left'])), 10_000);
    const isOver = step.then(() => true);
    if (when === 'after it ended') {
      expect(await Promise.race([isOver, delay(1100, false)])).toBe(false);
      // It asks the command for something of its own.
      handle?.('SIGUSR1');
      expect(await Promise.race([isOver, delay(300, false)])).toBe(false);
    }

    handle?.('SIGTERM');

    expect(await step).toBe(7);
  },
);

test('a command that cannot be started is told as one, whether Node throws that or sends it later', async () => {
  const words = 'x'.repeat(4 * 1024 * 1024);
  for (const [command, failure, line] of [
    [['/no/such'], 'notFound', '/no/such is not there: check the command'],
    [[''], 'notFound', "'' is not there: check the command"],
    [['/etc/passwd/x'], 'notRun', '/etc/passwd/x cannot be run (ENOTDIR): check the command'],
    [['true', words], 'notRun', 'true cannot be run (E2BIG): check the command'],
    [['/etc/passwd'], 'notRun', '/etc/passwd cannot be run (EACCES): check the command'],
  ] as const) {
    const outputs = { stdout: new PassThrough(), stderr: new PassThrough() };

    const step = runStep({
      ...{ command, environment: process.env, isInputUsed: true, outputs, onSignal: () => {} },
      guard: () => new PassThrough(),
    });

    await expect(step).rejects.toMatchObject({ failure, message: line });
  }
});

test('a command that may not be sent a signal goes on, and its exit code is what counts', async () => {
  const child = Object.assign(new EventEmitter(), { pid: 42 });
  const code = exitOf(child as never, 'sudo');

  child.emit('error', Object.assign(new Error('kill EPERM'), { code: 'EPERM' }));
  child.emit('exit', 7, null);

  expect(await code).toBe(7);
});
