import { CommandError } from './exit-codes.ts';
import type { Environment } from './grant.ts';
import { asOperator } from './operator-request.ts';

/** The options of an operator's command, for `parseArgs`. */
export const OPERATOR_OPTIONS = {
  nats: { type: 'string' },
  user: { type: 'string' },
  'password-file': { type: 'string' },
  timeout: { type: 'string', default: '5' },
  json: { type: 'boolean', default: false },
  help: { type: 'boolean', default: false },
} as const;

/** What the help of an operator's command says of them. */
export const OPERATOR_HELP = `  --json                  print the answer as JSON
  --timeout SECONDS       how long to wait for an answer; 5 if left out
  --nats URL              the NATS server; NATS_URL if left out
  --user USER             the NATS user; NATS_USER, or operator, if left out
  --password-file FILE    the file with its password; NATS_PASSWORD_FILE if left out`;

type Values = {
  nats?: string | undefined;
  user?: string | undefined;
  'password-file'?: string | undefined;
  timeout: string;
};

/** Sends one command to build-lifecycle as the options say; gives its answer. Throws a CommandError that says what to do. */
export async function askBuildLifecycle(
  eventName: string,
  fields: object,
  { nats, user, 'password-file': passwordFile, timeout }: Values,
  env: Environment,
): Promise<Record<string, unknown>> {
  if (!/^[1-9]\d{0,3}$/.test(timeout))
    throw new CommandError('usage', '--timeout takes a whole number of seconds');
  const access = { nats, user, passwordFile, timeoutMs: Number(timeout) * 1000, env };
  return await asOperator(access, 'build-lifecycle', (send) => send(eventName, fields));
}
