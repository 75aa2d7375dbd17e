import { EVENT_NAMES } from '@mayfly/contracts/bus';
import { checkKeysAnswer, type KeysAnswer } from '@mayfly/contracts/keys';
import type { Command } from './command.ts';
import { parseOptions } from './command-line.ts';
import { CommandError } from './exit-codes.ts';
import { keysTable } from './keys-table.ts';
import { OPERATOR_HELP, OPERATOR_OPTIONS, operatorAccess } from './operator-options.ts';
import { asOperator } from './operator-request.ts';

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
${OPERATOR_HELP}

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
    const { values, positionals } = parseOptions(args, OPTIONS, 'mayfly keys --help');
    if (values.help) {
      stdout.write(HELP);
      return 0;
    }
    const { verb, fields } = parseKeys(positionals, values);
    const request = { type: `dev.mayfly.admin.keys.${verb}`, ...fields };
    const answer = await asOperator(operatorAccess(values, env), 'key-manager', (send) =>
      send(EVENT_NAMES.adminKeys(verb), request),
    );
    const known = checkKeysAnswer.parse(answer, 'server_error') as Extract<KeysAnswer, { keys: unknown }>;
    stdout.write(values.json ? `${JSON.stringify(known, undefined, 2)}\n` : keysTable(known.keys));
    return 0;
  },
};

const text = { type: 'string' } as const;
const OPTIONS = { ...OPERATOR_OPTIONS, source: text, alg: text, reason: text } as const;

type Verb = 'list' | 'rotate' | 'revoke';
type Values = { source?: string | undefined; alg?: string | undefined; reason?: string | undefined };

/** Takes what stands on the command line; gives what is asked. Throws where it cannot be meant. */
export function parseKeys(
  [verb = '', kid, ...rest]: readonly string[],
  { source, alg, reason }: Values,
): { verb: Verb; fields: Record<string, string> } {
  const given = Object.entries({ source, alg, reason, kid });
  const allowed = ALLOWED[verb as Verb];
  if (!allowed || rest.length > 0) throw usage('say list, rotate or revoke');
  for (const [name, value] of given) {
    if (value === undefined && allowed[name] === 'must') throw usage(`${verb} needs ${NAMES[name]}`);
    if (value !== undefined && allowed[name] === undefined) throw usage(`${verb} takes no ${NAMES[name]}`);
  }
  const fields = Object.fromEntries(given.filter(([, value]) => value !== undefined));
  return { verb: verb as Verb, fields: fields as Record<string, string> };
}

const NAMES: Record<string, string> = { source: '--source', alg: '--alg', reason: '--reason', kid: 'a KID' };
const ALLOWED: Record<Verb, Record<string, 'may' | 'must'>> = {
  list: { source: 'may' },
  rotate: { source: 'must', alg: 'may' },
  revoke: { kid: 'must', reason: 'must' },
};

const usage = (message: string) => new CommandError('usage', `${message}: see mayfly keys --help`);
