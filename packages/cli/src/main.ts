#!/usr/bin/env node
import type { Surroundings } from './command.ts';
import { runCommand } from './commands.ts';
import { heedProxies } from './proxy-environment.ts';

const PASSED_ON = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT', 'SIGUSR1', 'SIGUSR2'] as const;

const onSignal: Surroundings['onSignal'] = (handler, until) => {
  for (const signal of PASSED_ON) {
    const hear = () => handler(signal);
    process.on(signal, hear);
    until.addEventListener('abort', () => process.off(signal, hear));
  }
};

heedProxies(process.env, (line) => void process.stderr.write(`mayfly: ${line}\n`));

process.exitCode = await runCommand(process.argv.slice(2), {
  env: process.env,
  workDirectory: process.cwd(),
  stdin: process.stdin,
  stdout: process.stdout,
  stderr: process.stderr,
  self: [process.execPath, import.meta.filename],
  onSignal,
});
