import { EVENT_NAMES } from '@mayfly/contracts/bus';
import { checkNameRecord, type NameRecord } from '@mayfly/contracts/seen-names-schema';
import type { Command } from './command.ts';
import { parseOptions } from './command-line.ts';
import { CommandError } from './exit-codes.ts';
import { OPERATOR_HELP, OPERATOR_OPTIONS, operatorAccess } from './operator-options.ts';
import { asOperator, type SendCommand } from './operator-request.ts';

const HELP = `Show whose names are, and let them go to another.

  mayfly names list [--source SOURCE] [--kind KIND] [--prefix TEXT]
  mayfly names release SOURCE KIND NAME [--id ID] [--note TEXT]
  mayfly names release SOURCE KIND --prefix TEXT [--note TEXT]

A name in tokens belongs to the immutable id that it was first seen with; a build that comes with another id
gets no tokens, because a relying party that trusts the name would trust whoever took it. release is for a
name that has rightly passed on: the next id that comes with it has it, or the one that --id says. With
--prefix every name with that beginning is released, for a CI system whose ids have changed.
It takes half a minute until nothing is issued any more under the id that had the name.

A KIND is enterprise, organization, owner, repository, person, pipeline, workflow, project, environment or
cluster. A pipeline, an environment and a cluster are called by what they are within, too, as the refusal
says it: ORGANIZATION/PIPELINE.

Options
  --source SOURCE         the source whose names are listed; all if left out
  --kind KIND             the kind of name that is listed; all if left out
  --prefix TEXT           only names with this beginning
  --id ID                 whose the name is from now on
  --note TEXT             why, for the log
${OPERATOR_HELP}

Examples
  mayfly names list --source acme --prefix octo/
  mayfly names release acme repository octo/hello --note 'moved to the new team'
`;

/** `mayfly names`: what an operator does with names that were seen before. */
export const names: Command = {
  summary: 'show whose names are, and release them',
  help: HELP,
  async run(args, { env, stdout }) {
    const { values, positionals } = parseOptions(args, OPTIONS, 'mayfly names --help');
    if (values.help) {
      stdout.write(HELP);
      return 0;
    }
    const wanted = parseNames(positionals, values);
    const records = await asOperator(operatorAccess(values, env), 'issuer', (send) =>
      WORK[wanted.verb](wanted.fields, send),
    );
    stdout.write(values.json ? `${JSON.stringify({ names: records }, undefined, 2)}\n` : table(records));
    return 0;
  },
};

type Verb = 'list' | 'release';
type Fields = Record<string, string>;

const WORK: Record<Verb, (fields: Fields, send: SendCommand) => Promise<NameRecord[]>> = {
  list: listAll,
  async release({ prefix, ...fields }, send) {
    // All are listed first: one that is released stands at the end of the list again.
    const found = prefix === undefined ? [fields] : await listAll({ ...fields, prefix }, send);
    const released: NameRecord[] = [];
    for (const one of found) {
      const { source, kind, name } = one as Fields;
      const { released: _, ...record } = await send(EVENT_NAMES.adminNames('release'), {
        ...fields,
        ...{ source, kind, name },
      });
      released.push(checkNameRecord.parse(record, 'server_error'));
    }
    return released;
  },
};

async function listAll({ note: _, ...fields }: Fields, send: SendCommand): Promise<NameRecord[]> {
  const records: NameRecord[] = [];
  let after = 0;
  for (;;) {
    const { names: page, next } = await send(EVENT_NAMES.adminNames('list'), { ...fields, after });
    for (const one of page as unknown[]) records.push(checkNameRecord.parse(one, 'server_error'));
    if (typeof next !== 'number') return records;
    after = next;
  }
}

const usage = (message: string) => new CommandError('usage', `${message}: see mayfly names --help`);

/** Takes what stands on the command line; gives what is asked. Throws where it cannot be meant. */
export function parseNames(
  [verb, source, kind, name, ...rest]: readonly string[],
  values: Record<string, string | boolean | undefined>,
): { verb: Verb; fields: Fields } {
  const pick = (...options: string[]) =>
    Object.fromEntries(
      options.flatMap((option) => (typeof values[option] === 'string' ? [[option, values[option]]] : [])),
    ) as Fields;
  if (verb === 'list') {
    if (source !== undefined || values['id'] !== undefined || values['note'] !== undefined)
      throw usage('list takes --source, --kind and --prefix');
    return { verb, fields: pick('source', 'kind', 'prefix') };
  }
  if (verb !== 'release') throw usage('say list or release');
  if (!source || !kind || rest.length > 0) throw usage('release needs SOURCE KIND NAME');
  if ((name === undefined) === (values['prefix'] === undefined))
    throw usage('release needs a NAME, or --prefix');
  if (name === undefined && values['id'] !== undefined) throw usage('--id is for one NAME');
  return { verb, fields: { source, kind, ...(name ? { name } : {}), ...pick('prefix', 'id', 'note') } };
}

const text = { type: 'string' } as const;
const OPTIONS = {
  ...OPERATOR_OPTIONS,
  source: text,
  kind: text,
  prefix: text,
  id: text,
  note: text,
} as const;

function table(records: readonly NameRecord[]): string {
  const rows = records.map(({ source, kind, name, id, since }) => [
    ...[source, kind, id ?? 'released', new Date(since * 1000).toISOString().replace('.000Z', 'Z')],
    // A name may be whatever somebody called a pipeline.
    JSON.stringify(name).slice(1, -1),
  ]);
  const all = [['SOURCE', 'KIND', 'ID', 'SINCE', 'NAME'], ...rows];
  const widths = [0, 1, 2, 3].map((column) => Math.max(...all.map((row) => (row[column] ?? '').length)));
  return all.map((row) => `${row.map((cell, at) => cell.padEnd(widths[at] ?? 0)).join('  ')}\n`).join('');
}
