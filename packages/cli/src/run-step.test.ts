import { PassThrough, Transform, Writable } from 'node:stream';
import { finished } from 'node:stream/promises';
import { expect, test } from 'vitest';
import { CommandError } from './exit-codes.ts';
import { runStep } from './run-step.ts';

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
      setTimeout(done, 1700);
    },
  });
  const outputs = { stdout: slow, stderr: new PassThrough() };
  const command = ['sh', '-c', 'head -c 300000 /dev/zero'];

  const step = runStep({
    ...{ command, environment: process.env, isInputUsed: true, outputs, onSignal: () => {} },
    guard: () => new PassThrough(),
  });

  expect(await step).toBe(0);
  await finished(slow.end());
  expect(shown).toBe(300_000);
}, 30_000);
