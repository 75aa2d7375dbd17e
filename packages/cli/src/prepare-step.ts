import { join } from 'node:path';
import { readRequestToken } from '@mayfly/contracts/build-reference';
import { type Cloud, chosenClouds } from './clouds.ts';
import type { Surroundings } from './command.ts';
import type { ExecOptions } from './exec-options.ts';
import { startRelay } from './exec-relay.ts';
import { CommandError } from './exit-codes.ts';
import type { Environment, Grant } from './grant.ts';
import { type Issuer, issuerAt } from './issuer.ts';
import { readClaims } from './jwt-claims.ts';
import { keepFresh } from './keep-fresh.ts';
import { listenForSecrets, MASK_SOCKET_VARIABLE } from './mask-socket.ts';
import type { SecretBook } from './secret-book.ts';
import { MIN_SECRET_CHARACTERS } from './secret-parts.ts';
import { cloudFile, type StepToken, stepTokens } from './step-tokens.ts';
import {
  renamedVariables,
  requestVariables,
  stepEnvironment,
  withoutGrant,
  withoutProxyToUs,
} from './step-variables.ts';
import { openTokenFiles, type TokenFiles } from './token-files.ts';

/** A step that is ready to run: its environment, and tokens that are kept fresh until it is disposed of. */
export type Prepared = AsyncDisposable & {
  environment: NodeJS.ProcessEnv;
  issuer: Issuer;
  stopRefreshing(): void;
};

type Preparation = {
  options: ExecOptions;
  surroundings: Surroundings;
  grant: Grant;
  book: SecretBook;
  warn(line: string): void;
  /** Aborted by a signal that comes before the command runs. */
  signal: AbortSignal;
};

/** Fetches what is missing, writes the files, and starts to keep them fresh. Leaves nothing behind if it fails. */
export async function prepareStep(preparation: Preparation): Promise<Prepared> {
  const { options, surroundings, grant, book, warn, signal } = preparation;
  const { env } = surroundings;
  maskGiven(preparation);
  const issuer = issuerAt(grant, { timeoutMs: options.timeoutMs, signal });
  const buildId = readRequestToken(grant.requestToken)?.id ?? 'build';
  const clouds = chosenClouds({ options: options.clouds, env, buildId, tokenCommand: surroundings.self });
  const { idTokens } = options;
  const tokens = await stepTokens({ grant, idTokens, clouds, issuer, now: Date.now() });
  for (const { token } of tokens) addToken(book, token);
  signal.throwIfAborted();

  await using resources = new AsyncDisposableStack();
  const files = openFiles(surroundings, resources);
  const { own, request } = await wayToMore(preparation, resources);
  const offered: Environment = {
    ...request,
    ...tokenVariables(tokens, grant, files),
    ...cloudVariables(clouds, files),
    ...(options.noMask ? {} : await openSocket(files, book, resources)),
  };
  const environment = stepEnvironment(own, offered, warn) as NodeJS.ProcessEnv;
  const stopRefreshing = startRefreshing(tokens, files, preparation, resources);
  const kept = resources.move();
  return {
    environment,
    issuer: issuerAt(grant, { timeoutMs: options.timeoutMs }),
    stopRefreshing,
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  };
}

/**
 * What of the user's environment the step gets, and how it asks for further tokens: through a relay; of the issuer itself
 * where that is wished; not at all where `--config` says what it gets.
 */
async function wayToMore(
  { options, surroundings: { env }, grant, book, warn }: Preparation,
  resources: AsyncDisposableStack,
): Promise<{ own: Environment; request: Environment }> {
  const without = withoutGrant(env, grant);
  if (options.config !== undefined) return { own: without, request: {} };
  if (options.noRelay) return { own: env, request: requestVariables(without, grant, warn) };
  const mask = (token: string) => addToken(book, token);
  const address = await startRelay({ grant, mask, warn }, resources);
  book.add(address.requestToken);
  const renamed = renamedVariables(env, grant, address);
  return {
    own: withoutProxyToUs({ ...without, ...renamed }),
    request: requestVariables(without, { ...grant, ...address }, warn),
  };
}

function maskGiven({ options, surroundings, grant, book, warn }: Preparation): void {
  book.add(grant.requestToken);
  for (const [name, code] of Object.entries(grant.refused)) {
    warn(`${name} was not issued (${code}): have its audience allowed in mayfly.yaml`);
  }
  for (const [name, token] of Object.entries(grant.tokens)) {
    if (!Object.hasOwn(options.idTokens, name)) continue;
    warn(`${name} is declared by the build and is replaced by what --id-token asks for`);
    // The step gets another one, but may still come across it.
    addToken(book, token);
  }
  for (const name of options.mask) {
    const secret = surroundings.env[name];
    if (!secret) throw new CommandError('configuration', `${name} is not set: there is nothing to mask`);
    maskOwn(name, secret, book);
  }
}

function maskOwn(name: string, secret: string, book: SecretBook): void {
  if (secret.replace(/[\r\n]/g, '').length < MIN_SECRET_CHARACTERS)
    throw new CommandError(
      'masking',
      `${name} has fewer than ${MIN_SECRET_CHARACTERS} characters and cannot be masked: make it longer, or leave out --mask ${name}`,
    );
  book.add(secret);
}

function addToken(book: SecretBook, token: string): void {
  const expiresAt = readClaims(token)?.expiresAt;
  book.add(token, expiresAt === undefined ? undefined : expiresAt * 1000);
}

function openFiles({ env, workDirectory }: Surroundings, resources: AsyncDisposableStack): TokenFiles {
  const files = openTokenFiles({ runtimeDirectory: env['XDG_RUNTIME_DIR'], workDirectory });
  const remove = () => files.remove();
  process.once('exit', remove);
  resources.defer(() => {
    files.remove();
    process.off('exit', remove);
  });
  return files;
}

async function openSocket(files: TokenFiles, book: SecretBook, resources: AsyncDisposableStack) {
  const path = join(files.directory, 'mask.sock');
  const server = await listenForSecrets(path, (secret) => addToken(book, secret)).catch((cause: unknown) => {
    const message = `no socket can be made in ${files.directory}: set XDG_RUNTIME_DIR to a directory with a shorter name`;
    throw new CommandError('configuration', message, { cause });
  });
  resources.defer(() => void server.close());
  return { [MASK_SOCKET_VARIABLE]: path };
}

function tokenVariables(tokens: StepToken[], grant: Grant, files: TokenFiles): Environment {
  return Object.fromEntries(
    tokens.flatMap(({ name, token, isVariable }) => {
      const path = files.write(name, token);
      const names = isVariable ? [name, ...otherNames(name, grant)] : [];
      return names.flatMap((one) => [[one, token] as const, [`${one}_FILE`, path] as const]);
    }),
  );
}

/** Where a build declares several tokens, none of them is the one that its system's own name could mean. */
function otherNames(name: string, { tokens, refused, tokenNames }: Grant): readonly string[] {
  const isTheOne = Object.keys({ ...tokens, ...refused }).join() === name;
  return isTheOne ? tokenNames : [];
}

function cloudVariables(clouds: Cloud[], files: TokenFiles): Environment {
  const all = clouds.map((cloud) => cloud.variables(join(files.directory, cloudFile(cloud)), files.write));
  return Object.assign({}, ...all) as Environment;
}

function startRefreshing(
  tokens: StepToken[],
  files: TokenFiles,
  { grant, book, warn }: Preparation,
  resources: AsyncDisposableStack,
): () => void {
  const stopped = new AbortController();
  const { issue } = issuerAt(grant, { timeoutMs: 0, signal: stopped.signal });
  const replace = (name: string, token: string) => {
    addToken(book, token);
    files.write(name, token);
  };
  const keeper = { issue, replace, warn, signal: stopped.signal, now: Date.now, random: Math.random };
  for (const token of tokens) {
    keepFresh(token, keeper).catch(() => warn(`${token.name} is not refreshed any more`));
  }
  resources.defer(() => stopped.abort());
  return () => stopped.abort();
}
