import { EVENT_NAMES } from '@mayfly/contracts/bus';
import type { Command } from './command.ts';
import { parseOptions } from './command-line.ts';
import { CommandError } from './exit-codes.ts';
import { askBuildLifecycle, OPERATOR_HELP, OPERATOR_OPTIONS } from './operator-options.ts';

const HELP = `Events that were refused for good: which, why, and once the cause is mended, again.

  mayfly dead-letters list [--source SOURCE] [--after NUMBER] [--limit N]
  mayfly dead-letters show NUMBER
  mayfly dead-letters replay NUMBER

show prints one with its body. replay sends it again as if its CI had: it is checked anew, by today's policy; an
event that is over an hour old is refused again, so that nothing returns after its end.

Options
  --source SOURCE         only those of one source
  --after NUMBER          only those after this one
  --limit N               how many at most; 20 if left out, 100 at most
${OPERATOR_HELP}

Examples
  mayfly dead-letters list --source acme
  mayfly dead-letters replay 17
`;

type Letter = {
  number: number;
  time: string;
  source: string;
  event_name: string;
  error: string;
  error_description: string;
};

/** `mayfly dead-letters`: what an operator does with events that were refused for good. */
export const deadLetters: Command = {
  summary: 'list, inspect and replay events that were refused',
  help: HELP,
  async run(args, { env, stdout }) {
    const { values, positionals } = parseOptions(args, OPTIONS, 'mayfly dead-letters --help');
    if (values.help) {
      stdout.write(HELP);
      return 0;
    }
    const { verb, fields } = requestOf(positionals, values);
    const answer = await askBuildLifecycle(EVENT_NAMES.adminDeadLetters(verb), fields, values, env);
    const text = values.json ? JSON.stringify(answer, undefined, 2) : TEXTS[verb](answer);
    stdout.write(`${text}\n`);
    return 0;
  },
};

type Verb = 'list' | 'show' | 'replay';

const TEXTS: Record<Verb, (answer: Record<string, unknown>) => string> = {
  list(answer) {
    const letters = answer['dead_letters'] as Letter[];
    if (letters.length === 0) return 'there are no dead letters';
    const rows = letters.map(({ number, time, event_name, error, error_description }) =>
      [String(number).padStart(6), time, event_name, `${error}: ${error_description}`].join('  '),
    );
    return rows.join('\n');
  },
  show({ dead_letter }) {
    const { body_base64, ...rest } = dead_letter as Record<string, unknown>;
    const facts = Object.entries(rest).map(([name, value]) => `${name.padEnd(18)}${String(value)}`);
    return [...facts, '', printable(String(body_base64))].join('\n');
  },
  replay: ({ number, event_name, seq }) =>
    `dead letter ${number} was sent again on ${event_name}; it is event ${seq} now`,
};

/** A body may hold anything: control characters are shown by their number, so that they do nothing to a terminal. */
function printable(base64: string): string {
  const text = Buffer.from(base64, 'base64').toString();
  return text.replace(/\p{Cc}/gu, (one) =>
    one === '\n' ? one : `\\x${one.charCodeAt(0).toString(16).padStart(2, '0')}`,
  );
}

function requestOf(
  [verb = '', number, ...rest]: string[],
  values: ReturnType<typeof parseOptions<typeof OPTIONS>>['values'],
): { verb: Verb; fields: object } {
  const whole = (text: string, name: string) => {
    if (!/^\d{1,15}$/.test(text)) throw usage(`${name} must be a whole number`);
    return Number(text);
  };
  if (verb === 'list' && number === undefined) {
    const { source, after, limit } = values;
    return {
      verb,
      fields: {
        ...(source ? { source } : {}),
        ...(after ? { after: whole(after, '--after') } : {}),
        ...(limit ? { limit: whole(limit, '--limit') } : {}),
      },
    };
  }
  if ((verb === 'show' || verb === 'replay') && number !== undefined && rest.length === 0) {
    return { verb, fields: { number: whole(number, 'NUMBER') } };
  }
  throw usage('say list, show NUMBER or replay NUMBER');
}

const OPTIONS = {
  ...OPERATOR_OPTIONS,
  source: { type: 'string' },
  after: { type: 'string' },
  limit: { type: 'string' },
} as const;

function usage(message: string): CommandError {
  return new CommandError('usage', `${message}: see mayfly dead-letters --help`);
}
