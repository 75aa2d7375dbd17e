import { type AgentConfig, readAgentConfig } from './agent-config.ts';
import type { Grant } from './grant.ts';
import { issuerAt } from './issuer.ts';
import { readClaims } from './jwt-claims.ts';
import { type KeptToken, keepFresh } from './keep-fresh.ts';
import { type Prepared, prepareStep } from './prepare-step.ts';
import { resolveSecrets } from './secrets-resolve.ts';
import { declaredEnvironment } from './step-variables.ts';
import { openTokenFiles, type TokenFiles } from './token-files.ts';

type Preparation = Parameters<typeof prepareStep>[0];

/**
 * Prepares a step as `--config` declares it, or as its grant does where there is no such option. With `--config` the
 * command gets the tokens and secrets of the file and nothing else: no way to further tokens.
 */
export async function prepareDeclaredStep(preparation: Preparation): Promise<Prepared> {
  const { options, grant, surroundings } = preparation;
  const { config, job } = options;
  if (config === undefined) return await prepareStep(preparation);
  const declared = readAgentConfig(config, job);
  await using resources = new AsyncDisposableStack();
  const step = resources.use(
    await prepareStep({ ...preparation, grant: { ...grant, tokens: {}, refused: {} } }),
  );
  // The step gets none of them, but may still come across them.
  for (const token of Object.values(grant.tokens)) mask(preparation.book, token);
  const tokens = await issueTokens(declared, preparation, grant);
  const secrets = await readDeclaredSecrets(declared, tokens, preparation, resources);
  const { env, workDirectory } = surroundings;
  const files = openTokenFiles({ runtimeDirectory: env['XDG_RUNTIME_DIR'], workDirectory });
  // After the sessions in a Vault, and so removed before these are ended, which may take seconds.
  removeAtEnd(files, resources);
  const ended = keepAllFresh(tokens, files, preparation, grant);
  resources.defer(() => ended.abort());
  const kept = resources.move();
  return {
    issuer: step.issuer,
    environment: declaredEnvironment(
      step.environment,
      { ...tokenVariables(tokens, files), ...secrets(files) },
      preparation.warn,
    ),
    stopRefreshing() {
      ended.abort();
      step.stopRefreshing();
    },
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  };
}

async function issueTokens(
  { idTokens }: AgentConfig,
  { options, book, signal }: Preparation,
  grant: Grant,
): Promise<KeptToken[]> {
  const issuer = issuerAt(grant, { timeoutMs: options.timeoutMs, signal });
  return await Promise.all(
    Object.entries(idTokens).map(async ([name, audiences]) => {
      const { token } = await issuer.issue({ audiences });
      mask(book, token);
      return { name, audiences, token };
    }),
  );
}

function mask(book: Preparation['book'], token: string): void {
  const expiresAt = readClaims(token)?.expiresAt;
  book.add(token, expiresAt === undefined ? undefined : expiresAt * 1000);
}

async function readDeclaredSecrets(
  declared: AgentConfig,
  tokens: KeptToken[],
  { options, surroundings, book, warn, signal }: Preparation,
  resources: AsyncDisposableStack,
): Promise<(files: TokenFiles) => Record<string, string>> {
  const resolved = await resolveSecrets({
    ...{ secrets: declared.secrets, resources, warn, signal },
    // What is set outside of the file wins, as the variables of a GitLab project do.
    variables: { ...declared.variables, ...surroundings.env },
    tokenOf: (wanted) => tokens.find(({ name }) => name === wanted)?.token ?? '',
    isUnmasked: options.noMask,
    timeoutMs: options.timeoutMs,
    mask: (secret) => book.add(secret),
  });
  return (files) =>
    Object.fromEntries(
      resolved.map(({ name, value, isFile }) => [
        name,
        isFile ? files.write(`secret-${name}`, value) : value,
      ]),
    );
}

function removeAtEnd(files: TokenFiles, resources: AsyncDisposableStack): void {
  const remove = () => files.remove();
  process.once('exit', remove);
  resources.defer(() => {
    files.remove();
    process.off('exit', remove);
  });
}

function tokenVariables(tokens: KeptToken[], files: TokenFiles): Record<string, string> {
  return Object.fromEntries(
    tokens.flatMap(({ name, token }) => [
      [name, token],
      [`${name}_FILE`, files.write(name, token)],
    ]),
  );
}

function keepAllFresh(tokens: KeptToken[], files: TokenFiles, { book, warn }: Preparation, grant: Grant) {
  const ended = new AbortController();
  const { signal } = ended;
  const { issue } = issuerAt(grant, { timeoutMs: 0, signal });
  const replace = (name: string, token: string) => {
    mask(book, token);
    files.write(name, token);
  };
  const keeper = { issue, replace, warn, signal, now: Date.now, random: Math.random };
  for (const token of tokens)
    keepFresh(token, keeper).catch(() => warn(`${token.name} is not refreshed any more`));
  return ended;
}
