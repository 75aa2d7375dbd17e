import { text } from 'node:stream/consumers';
import { type InspectedToken, inspectToken } from '@mayfly/trust/inspect-token';
import { whyInactive } from '@mayfly/trust/why-inactive';
import type { Surroundings } from './command.ts';
import { parseOptions, parseSeconds } from './command-line.ts';
import { CommandError, EXIT_CODES } from './exit-codes.ts';
import { askIssuer, type IssuerAnswer } from './token-inspect-ask.ts';
import { inspectedText } from './token-inspect-text.ts';
import { readPolicy, readText, told } from './trust-inputs.ts';

const OPTIONS = {
  help: { type: 'boolean', short: 'h' },
  json: { type: 'boolean' },
  file: { type: 'string' },
  issuer: { type: 'string' },
  'relying-party': { type: 'string' },
  'secret-file': { type: 'string' },
  config: { type: 'string' },
  timeout: { type: 'string' },
} as const;

/** Runs `mayfly token inspect`; gives its exit code. */
export async function runInspect(
  args: readonly string[],
  surroundings: Surroundings,
  help: string,
): Promise<number> {
  const { values, positionals } = parseOptions(args, OPTIONS, 'mayfly token inspect --help');
  if (values.help) {
    surroundings.stdout.write(help);
    return 0;
  }
  return await told(async () => {
    const given = await readToken(positionals, values.file, surroundings);
    const token = given.trim().replace(/^Bearer\s+/i, '');
    const now = Math.floor(Date.now() / 1000);
    const inspected = inspectToken(given, { now, issuer: values.issuer });
    const credentials = await readCredentials(values, surroundings);
    const answer = values.issuer
      ? await askIssuer({
          token,
          inspected,
          issuer: values.issuer,
          credentials,
          timeoutMs: parseSeconds(values.timeout ?? '15') * 1000,
        })
      : undefined;
    const why = answer && (await reasonsFor(answer, token, inspected, values, now, surroundings));
    const shown = { ...inspected, ...(answer && { issuer: { ...answer, ...(why && { why }) } }) };
    surroundings.stdout.write(
      values.json ? `${JSON.stringify(shown, undefined, 2)}\n` : inspectedText(shown, now),
    );
    const isGood = answer === undefined || (answer.signature === 'good' && answer.active !== false);
    return isGood ? 0 : EXIT_CODES.refused;
  });
}

type Values = {
  issuer?: string | undefined;
  config?: string | undefined;
  'relying-party'?: string | undefined;
  'secret-file'?: string | undefined;
};

async function readToken(
  positionals: readonly string[],
  file: string | undefined,
  surroundings: Surroundings,
): Promise<string> {
  const [argument, ...more] = positionals;
  if (more.length > 0 || (argument !== undefined && file !== undefined))
    throw new CommandError('usage', 'more than one token: give one, on standard input or with --file FILE');
  if (file !== undefined) return await readText(file, surroundings, 'the token', '--file');
  if (argument !== undefined && argument !== '-') {
    surroundings.stderr.write(
      'mayfly: a token given as an argument is visible to other processes: give it on standard input, or with --file FILE\n',
    );
    return argument;
  }
  if (argument === undefined && surroundings.stdin.isTTY)
    throw new CommandError(
      'usage',
      'no token: give one on standard input (mayfly token inspect < FILE), or with --file FILE',
    );
  return await text(surroundings.stdin);
}

async function readCredentials(values: Values, surroundings: Surroundings) {
  const { 'relying-party': name, 'secret-file': file, issuer } = values;
  if (name === undefined && file === undefined) return undefined;
  if (name === undefined || file === undefined)
    throw new CommandError(
      'usage',
      'a relying party is asked as with its name and its secret: give --relying-party NAME and --secret-file FILE',
    );
  if (issuer === undefined)
    throw new CommandError(
      'usage',
      'credentials are sent only to an issuer that you name: give --issuer URL',
    );
  const secret = (await readText(file, surroundings, 'the secret', '--secret-file')).split(/\r?\n/)[0] ?? '';
  if (secret === '')
    throw new CommandError(
      'configuration',
      `the secret ${file} is empty: write the relying party's secret into it`,
    );
  return { name, secret };
}

async function reasonsFor(
  answer: IssuerAnswer,
  token: string,
  inspected: InspectedToken,
  values: Values,
  now: number,
  surroundings: Surroundings,
): Promise<string[] | undefined> {
  if (answer.active !== false) return undefined;
  const policy =
    values.config === undefined ? undefined : (await readPolicy(values.config, surroundings)).policy;
  const audiences = policy && (policy.relying_parties?.[values['relying-party'] ?? '']?.audiences ?? []);
  const { signature, build } = answer;
  return whyInactive({ token, inspected, now, issuer: values.issuer ?? '', signature, build, audiences });
}
