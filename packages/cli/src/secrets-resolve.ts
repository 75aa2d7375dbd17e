import { CommandError } from './exit-codes.ts';
import type { Environment } from './grant.ts';
import { MIN_SECRET_CHARACTERS } from './secret-parts.ts';
import type { DeclaredSecret } from './secrets.ts';
import { loginToVault, type VaultSession } from './vault.ts';

/** A secret, read: what its variable is called, and what it holds. */
export type ResolvedSecret = { name: string; value: string; isFile: boolean };

type Wanted = {
  secrets: Readonly<Record<string, DeclaredSecret>>;
  /** `VAULT_SERVER_URL` and the other variables of a job. */
  variables: Environment;
  /** Gives the token of a variable. */
  tokenOf(name: string): string;
  /** Whether a secret that is too short to be masked may be passed. */
  isUnmasked: boolean;
  timeoutMs: number;
  signal: AbortSignal;
  warn(line: string): void;
  /** Takes every login, to be disposed of when the command has ended. */
  resources: AsyncDisposableStack;
  /** Takes what is to be masked, before anything else is done with it. */
  mask(secret: string): void;
};

/** Reads every declared secret, with one login for each ID token that is named. Throws a CommandError for the first that fails. */
export async function resolveSecrets(wanted: Wanted): Promise<ResolvedSecret[]> {
  const sessions = new Map<string, VaultSession>();
  const resolved: ResolvedSecret[] = [];
  for (const [name, secret] of Object.entries(wanted.secrets)) {
    const session = sessions.get(secret.token) ?? (await login(secret.token, wanted));
    sessions.set(secret.token, session);
    resolved.push({ name, isFile: secret.isFile, value: await readField(name, secret, session, wanted) });
  }
  return resolved;
}

async function login(token: string, wanted: Wanted): Promise<VaultSession> {
  const { variables, timeoutMs, signal, resources, mask, warn } = wanted;
  const url = variables['VAULT_SERVER_URL'];
  if (!url)
    throw new CommandError('configuration', 'secrets are declared and there is no VAULT_SERVER_URL: set it');
  const session = resources.use(
    await loginToVault(
      {
        ...{ url, timeoutMs, signal, jwt: wanted.tokenOf(token) },
        role: variables['VAULT_AUTH_ROLE'],
        authPath: variables['VAULT_AUTH_PATH'],
        namespace: variables['VAULT_NAMESPACE'],
      },
      warn,
    ),
  );
  mask(session.token);
  return session;
}

async function readField(
  name: string,
  secret: DeclaredSecret,
  session: VaultSession,
  { variables, isUnmasked, mask }: Wanted,
): Promise<string> {
  const expanded = (text: string) => expand(text, variables, name);
  const place = { version: secret.version, mount: expanded(secret.mount), path: expanded(secret.path) };
  const data = await session.readAt(place);
  const where = `${place.mount}/${place.path}`;
  if (!data) throw new CommandError('configuration', `secrets.${name}: there is no secret ${where} in Vault`);
  const field = expanded(secret.field);
  const value = Object.hasOwn(data, field) ? data[field] : undefined;
  if (value === undefined || value === null)
    throw new CommandError('configuration', `secrets.${name}: the secret ${where} has no field ${field}`);
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  if (isUnmasked) return text;
  if (!isLongEnough(text))
    throw new CommandError(
      'masking',
      `secrets.${name} has fewer than ${MIN_SECRET_CHARACTERS} characters and cannot be masked: make it longer`,
    );
  mask(text);
  try {
    for (const part of textsWithin(value)) if (isLongEnough(part)) mask(part);
  } catch (cause) {
    const message = `secrets.${name} holds too many texts to mask: declare one of its fields`;
    throw new CommandError('masking', message, { cause });
  }
  return text;
}

const isLongEnough = (text: string) => text.replace(/[\r\n]/g, '').length >= MIN_SECRET_CHARACTERS;

/** The texts and numbers in a field that is no text: who takes one out of it prints it alone. */
function textsWithin(value: unknown): string[] {
  if (typeof value !== 'object' || value === null) return [];
  return Object.values(value).flatMap((part: unknown) =>
    typeof part === 'string' || typeof part === 'number' ? [String(part)] : textsWithin(part),
  );
}

/** Replaces `$NAME` and `${NAME}`, once. */
function expand(text: string, variables: Environment, secret: string): string {
  return text.replace(/\$(?:\{([A-Za-z_]\w*)\}|([A-Za-z_]\w*))/g, (_, braced?: string, bare?: string) => {
    const name = (braced ?? bare) as string;
    const value = variables[name];
    if (value === undefined)
      throw new CommandError('configuration', `secrets.${secret} names $${name}, which is not set`);
    return value;
  });
}
