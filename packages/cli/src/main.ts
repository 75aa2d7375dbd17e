#!/usr/bin/env node
import * as http from 'node:http';
import type { Surroundings } from './command.ts';
import { runCommand } from './commands.ts';
import { THIS_MACHINE, withoutProxyToUs } from './step-variables.ts';

const PASSED_ON = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT', 'SIGUSR1', 'SIGUSR2'] as const;

const onSignal: Surroundings['onSignal'] = (handler, until) => {
  for (const signal of PASSED_ON) {
    const hear = () => handler(signal);
    process.on(signal, hear);
    until.addEventListener('abort', () => process.off(signal, hear));
  }
};

// What asks the issuer and Vault goes through the proxy that the environment names, as with curl; not what asks this machine.
// The types that we have do not know it yet.
const { setGlobalProxyFromEnv } = http as { setGlobalProxyFromEnv?(env: Surroundings['env']): unknown };
setGlobalProxyFromEnv?.(withoutProxyToUs(process.env, THIS_MACHINE));

process.exitCode = await runCommand(process.argv.slice(2), {
  env: process.env,
  workDirectory: process.cwd(),
  stdin: process.stdin,
  stdout: process.stdout,
  stderr: process.stderr,
  self: [process.execPath, import.meta.filename],
  onSignal,
});
