import { randomUUID } from 'node:crypto';
import { renameSync, rmSync, writeFileSync } from 'node:fs';
import { constants } from 'node:os';
import type { Document } from 'yaml';
import type { Command, Surroundings } from './command.ts';
import { CommandError } from './exit-codes.ts';
import { readGrant } from './grant.ts';
import { dropSources, interpolateDocument, keepJob } from './interpolate-document.ts';
import { INTERPOLATE_HELP } from './interpolate-help.ts';
import { type InterpolateOptions, parseInterpolateOptions } from './interpolate-options.ts';
import { mapOf, readYamlFile } from './interpolate-yaml.ts';
import { issuerAt } from './issuer.ts';
import { announceSecret, MASK_SOCKET_VARIABLE } from './mask-socket.ts';
import { MIN_SECRET_CHARACTERS } from './secret-parts.ts';
import { readVarSources } from './var-source.ts';
import { type Resolving, varResolver } from './var-source-resolve.ts';

/** `mayfly interpolate`: writes a pipeline or task with its variables resolved. */
export const interpolate: Command = {
  summary: 'put tokens and secrets into a Concourse pipeline or task',
  help: INTERPOLATE_HELP,
  async run(args, surroundings) {
    const options = parseInterpolateOptions(args, surroundings.env);
    if (options.help) {
      surroundings.stdout.write(INTERPOLATE_HELP);
      return 0;
    }
    const ending = new AbortController();
    const stopped = new AbortController();
    surroundings.onSignal((signal) => stopped.abort(signal), ending.signal);
    try {
      return await write(options, surroundings, stopped.signal);
    } catch (error) {
      if (!stopped.signal.aborted) throw error;
      return 128 + constants.signals[stopped.signal.reason as NodeJS.Signals];
    } finally {
      ending.abort();
    }
  },
};

async function write(
  options: InterpolateOptions,
  surroundings: Surroundings,
  signal: AbortSignal,
): Promise<number> {
  const text = (await interpolated(options, surroundings, signal)).toString({ lineWidth: 0 });
  signal.throwIfAborted();
  if (options.output === undefined) surroundings.stdout.write(text);
  else writePrivate(options.output, text);
  return 0;
}

async function interpolated(
  options: InterpolateOptions,
  surroundings: Surroundings,
  signal: AbortSignal,
): Promise<Document> {
  const { file, job } = options;
  const document = readYamlFile(file);
  const sources = readVarSources(mapOf(document, file)['var_sources']);
  dropSources(document, sources);
  if (job !== undefined && !keepJob(document, job))
    throw new CommandError('configuration', `there is no job ${job} in ${file}`);
  await using resources = new AsyncDisposableStack();
  await interpolateDocument(
    document,
    varResolver({ sources, ...resolving(options, surroundings, resources, signal) }),
  );
  return document;
}

function resolving(
  { grant: file, timeoutMs, whose, variables, keepsUnknown }: InterpolateOptions,
  { env, stdin, stderr }: Surroundings,
  resources: AsyncDisposableStack,
  signal: AbortSignal,
): Omit<Resolving, 'sources'> {
  let issuer: ReturnType<Resolving['issuer']> | undefined;
  const openIssuer = async () =>
    issuerAt(await readGrant({ file, env, stdin, now: Date.now(), signal }), { timeoutMs, signal });
  return {
    ...{ whose, variables, keepsUnknown, resources, place: { timeoutMs, signal }, sessions: new Map() },
    buildToken: env['CONCOURSE_CI_JWT'] || undefined,
    issuer() {
      issuer ??= openIssuer();
      return issuer;
    },
    warn: (line) => void stderr.write(`mayfly: ${line}\n`),
    mask: maskerOf(env[MASK_SOCKET_VARIABLE]),
  };
}

/** Within `mayfly exec` whatever is put into the file is masked in the output of the step. */
function maskerOf(socket: string | undefined): Resolving['mask'] {
  return async (secret) => {
    if (!socket) return;
    if (secret.replace(/[\r\n]/g, '').length < MIN_SECRET_CHARACTERS)
      throw new CommandError(
        'masking',
        `a secret of fewer than ${MIN_SECRET_CHARACTERS} characters cannot be masked: use a longer one, or run outside of mayfly exec`,
      );
    await announceSecret(socket, secret);
  };
}

/** By rename, so that a file of that name which others may read is not written into. */
function writePrivate(file: string, text: string): void {
  const draft = `${file}.${randomUUID()}`;
  try {
    writeFileSync(draft, text, { mode: 0o600, flag: 'wx' });
    renameSync(draft, file);
  } catch (cause) {
    rmSync(draft, { force: true });
    const { code } = cause as NodeJS.ErrnoException;
    throw new CommandError('configuration', `${file} cannot be written (${code}): check --output`);
  }
}
