import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { PassThrough, Writable } from 'node:stream';
import { expect, test } from 'vitest';
import type { Surroundings } from './command.ts';
import { runCommand } from './commands.ts';
import { given, temporaryDirectory } from './run-in-test.ts';
import { startStandInIssuer } from './stand-in-issuer.ts';

/** A process of its own as `mayfly exec` sees it; `send` sends it a signal. */
function surroundingsInTest(env: Surroundings['env'], told: (line: string) => void = () => {}) {
  let hear: (signal: NodeJS.Signals) => void = () => {};
  const stderr = new Writable({
    write(line, _encoding, done) {
      told(String(line));
      done();
    },
  });
  const surroundings: Surroundings = {
    ...{ env: { PATH: process.env['PATH'], XDG_RUNTIME_DIR: temporaryDirectory(), ...env }, self: [] },
    ...{ workDirectory: temporaryDirectory(), stdin: new PassThrough(), stdout: new PassThrough(), stderr },
    onSignal(handler) {
      hear = handler;
    },
  };
  return { surroundings, send: (signal: NodeJS.Signals) => hear(signal) };
}

test.each([
  ['SIGTERM', 143],
  ['SIGINT', 130],
] as const)(
  '%s ends the wait for a grant on a standard input that stays open',
  async (signal, code) => {
    const { surroundings, send } = surroundingsInTest({});
    const ended = runCommand(['exec', '--grant', '-', '--', 'true'], surroundings);

    send(signal);

    expect(await ended).toBe(code);
  },
  5_000,
);

test('a signal that comes while the step is prepared, however late, keeps the command from running', async () => {
  await using issuer = await startStandInIssuer();
  const trace = join(temporaryDirectory(), 'trace');
  // What is told last before the command runs: that a variable stays as it is.
  const env = { ...given(issuer), VELA_ID_TOKEN_REQUEST_URL: 'http://other.example' };
  const { surroundings, send } = surroundingsInTest(env, (line) => {
    if (line.includes('VELA_ID_TOKEN_REQUEST_URL')) send('SIGTERM');
  });

  const code = await runCommand(['exec', '--', 'touch', trace], surroundings);

  expect({ code, hasRun: existsSync(trace) }).toEqual({ code: 143, hasRun: false });
});
