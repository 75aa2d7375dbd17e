import { CommandError } from './exit-codes.ts';
import type { Environment } from './grant.ts';
import { asOperator, type OperatorAccess } from './operator-request.ts';

/** The options of an operator's command, for `parseArgs`. */
export const OPERATOR_OPTIONS = {
  nats: { type: 'string' },
  user: { type: 'string' },
  'password-file': { type: 'string' },
  timeout: { type: 'string', default: '15' },
  json: { type: 'boolean', default: false },
  help: { type: 'boolean', short: 'h', default: false },
} as const;

/** What the help of an operator's command says of them. */
export const OPERATOR_HELP = `  --json                  print the answer as JSON
  --timeout SECONDS       how long to wait for an answer; 15 if left out
  --nats URL              the NATS server; NATS_URL if left out
  --user USER             the NATS user; NATS_USER, or operator, if left out
  --password-file FILE    the file with its password; NATS_PASSWORD_FILE if left out`;

type Values = {
  nats?: string | undefined;
  user?: string | undefined;
  'password-file'?: string | undefined;
  timeout: string;
};

/** How the options say that the services are reached. */
export function operatorAccess(
  { nats, user, 'password-file': passwordFile, timeout }: Values,
  env: Environment,
): OperatorAccess {
  if (!/^[1-9]\d{0,3}$/.test(timeout))
    throw new CommandError('usage', '--timeout takes a whole number of seconds');
  return { nats, user, passwordFile, timeoutMs: Number(timeout) * 1000, env };
}

/** Sends one command to build-lifecycle as the options say; gives its answer. Throws a CommandError that says what to do. */
export async function askBuildLifecycle(
  eventName: string,
  fields: object,
  values: Values,
  env: Environment,
): Promise<Record<string, unknown>> {
  const access = operatorAccess(values, env);
  return await asOperator(access, 'build-lifecycle', (send) => send(eventName, fields));
}
