import { parseArgs } from 'node:util';
import type { KeysAnswer } from '@mayfly/contracts/keys';
import type { Command } from './command.ts';
import { parseSeconds } from './exec-options.ts';
import { CommandError } from './exit-codes.ts';
import { type KeysRequest, requestKeys } from './keys-request.ts';
import { keysTable } from './keys-table.ts';

const HELP = `Show, rotate and revoke the signing keys of a deployment.

  mayfly keys list [--source SOURCE]
  mayfly keys rotate --source SOURCE [--alg RS256|ES256]
  mayfly keys revoke KID --reason TEXT

list shows each key, its state and its times. rotate makes the standby sign that has been published for long
enough; nobody notices. revoke is for a key that others may have: it stops signing and is not published any
more, its tokens are inactive at once, and a key signs that was never published before.

Options
  --source SOURCE         the source whose keys are meant; for list, all if left out
  --alg ALG               the algorithm to rotate; all if left out
  --reason TEXT           why a key is revoked; published with its kid
  --json                  print the answer as JSON
  --timeout SECONDS       how long to wait for an answer; 15 if left out
  --nats URL              the NATS server; NATS_URL if left out
  --user USER             the NATS user; NATS_USER, or operator, if left out
  --password-file FILE    the file with its password; NATS_PASSWORD_FILE if left out

A KID that begins with - stands behind --.

Examples
  mayfly keys list --source acme
  mayfly keys revoke 7oJc0cXq3A --reason 'found in a backup'
`;

/** `mayfly keys`: what an operator does with signing keys. */
export const keys: Command = {
  summary: 'show, rotate and revoke signing keys',
  help: HELP,
  async run(args, { env, stdout }) {
    const { verb, fields, options } = parseKeysOptions(args);
    if (options.help) {
      stdout.write(HELP);
      return 0;
    }
    const answer = await requestKeys({ verb, fields, env, ...options });
    if (!('keys' in answer)) throw refusal(answer);
    stdout.write(options.json ? `${JSON.stringify(answer, undefined, 2)}\n` : keysTable(answer.keys));
    return 0;
  },
};

type Parsed = {
  verb: KeysRequest['verb'];
  fields: Record<string, string>;
  options: Pick<KeysRequest, 'nats' | 'user' | 'passwordFile' | 'timeoutMs'> & {
    help: boolean;
    json: boolean;
  };
};

/** Takes the arguments of `mayfly keys`; throws where they cannot be meant. */
export function parseKeysOptions(args: readonly string[]): Parsed {
  const { values, positionals } = parse(args);
  const [verb = '', kid, ...rest] = positionals;
  const { source, alg, reason, timeout = '15', help = false, json = false } = values;
  const options = {
    ...{ help, json, timeoutMs: parseSeconds(timeout) * 1000 },
    ...{ nats: values.nats, user: values.user, passwordFile: values['password-file'] },
  };
  if (help) return { verb: 'list', fields: {}, options };
  const given = { source, alg, reason, kid };
  const allowed = ALLOWED[verb as KeysRequest['verb']];
  if (!allowed || rest.length > 0) throw usage('say list, rotate or revoke: see mayfly keys --help');
  for (const [name, value] of Object.entries(given)) {
    if (value === undefined && allowed[name] === 'must') throw usage(`${verb} needs ${NAMES[name]}`);
    if (value !== undefined && allowed[name] === undefined) throw usage(`${verb} takes no ${NAMES[name]}`);
  }
  const fields = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
  return { verb: verb as KeysRequest['verb'], fields: fields as Record<string, string>, options };
}

const NAMES: Record<string, string> = { source: '--source', alg: '--alg', reason: '--reason', kid: 'a KID' };
const ALLOWED: Record<KeysRequest['verb'], Record<string, 'may' | 'must'>> = {
  list: { source: 'may' },
  rotate: { source: 'must', alg: 'may' },
  revoke: { kid: 'must', reason: 'must' },
};

const usage = (message: string) => new CommandError('usage', message);

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        help: { type: 'boolean', short: 'h' },
        json: { type: 'boolean' },
        source: { type: 'string' },
        alg: { type: 'string' },
        reason: { type: 'string' },
        timeout: { type: 'string' },
        nats: { type: 'string' },
        user: { type: 'string' },
        'password-file': { type: 'string' },
      },
    });
  } catch (cause) {
    throw new CommandError('usage', (cause as Error).message, { cause });
  }
}

function refusal(answer: Exclude<KeysAnswer, { keys: unknown }>): CommandError {
  const { error, error_description, not_before } = answer;
  const when =
    not_before === undefined ? '' : `; it may sign from ${new Date(not_before * 1000).toISOString()}`;
  return new CommandError('refused', `${error_description}${when}`, { code: error });
}
