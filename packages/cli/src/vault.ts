import { CommandError } from './exit-codes.ts';
import { type KvPlace, readSecret, readSecretAt, type SecretData } from './vault-kv.ts';
import { keepLease } from './vault-lease.ts';
import { authMount, DEFAULT_AUTH_MOUNT, namespaceOf, urlPath } from './vault-path.ts';
import { type VaultAnswer, vaultRefusal, vaultText } from './vault-refusal.ts';
import { type Vault, type VaultPlace, vaultAt } from './vault-request.ts';

/** How a build logs in to a Vault. */
export type VaultLogin = VaultPlace & {
  /** Where the JWT logins are, as people write it; `jwt` if left out or empty. */
  authPath?: string | undefined;
  /** Undefined where the mount has a default role. */
  role?: string | undefined;
  jwt: string;
};

/** A login to a Vault: what it may read; its lease is kept until it is disposed of, and then it is revoked. */
export type VaultSession = AsyncDisposable & {
  /** Vault's own token, which is to be masked like every other. */
  token: string;
  /** Gives a secret of a mount whose kind is known; undefined where it is not there. */
  readAt(place: KvPlace): Promise<SecretData | undefined>;
  /** Gives a secret by its whole path, of whichever version of KV; undefined where it is not there. */
  read(path: string): Promise<SecretData | undefined>;
};

const REVOKED_WITHIN_MS = 5_000;
/** In what Vault says of a token that is none any more; without it a 403 is a policy that does not allow what was asked. */
const NO_TOKEN = /invalid token|bad token/i;

/** Logs in with an ID token (`auth/<mount>/login`). Throws what Vault itself says where it refuses. */
export async function loginToVault(login: VaultLogin, warn: (line: string) => void): Promise<VaultSession> {
  const { jwt, role, authPath, namespace, ...place } = login;
  const named = { ...place, namespace: namespace === undefined ? undefined : namespaceOf(namespace) };
  const vault = vaultAt(named);
  const mount = authMount(authPath || DEFAULT_AUTH_MOUNT);
  const answer = await vault.ask({
    path: `auth/${urlPath(mount)}/login`,
    method: 'POST',
    body: { ...(role ? { role } : {}), jwt },
  });
  const { origin } = vault;
  if (answer.status !== 200)
    throw vaultRefusal({ origin, doing: `the login at auth/${mount}`, answer, secrets: [jwt] });
  const auth = answer.body?.['auth'] as Record<string, unknown> | null | undefined;
  const token = auth?.['client_token'];
  if (typeof token !== 'string' || token === '')
    throw new CommandError('configuration', `what answers at ${origin} is no Vault: check the address`);
  const isRenewable = auth?.['renewable'] === true;
  const seconds = Number(auth?.['lease_duration'] ?? 0);
  const life: Life = {
    isBatch: auth?.['token_type'] === 'batch',
    endsAt: seconds > 0 ? Date.now() + seconds * 1000 : undefined,
  };
  const ended = new AbortController();
  // The lease is kept and the token revoked even where a signal has ended what came before.
  const other = (timeoutMs: number, signal?: AbortSignal) => vaultAt({ ...named, timeoutMs, signal });
  const lease = {
    seconds: isRenewable ? seconds : 0,
    token,
    vault: other(0, ended.signal),
    warn,
    signal: ended.signal,
    renewed: (forMs: number) => {
      // 0 of a renewal: as long as it may live at all is over.
      life.endsAt = Date.now() + forMs;
    },
  };
  const kept = keepLease(lease).catch(() => warn('the Vault lease is not kept any more'));
  return {
    token,
    readAt: (kv) => readSecretAt(vault, token, kv),
    read: (path) => readSecret(vault, token, path),
    async [Symbol.asyncDispose]() {
      ended.abort();
      await kept;
      await revoke(other(REVOKED_WITHIN_MS), token, life, warn);
    },
  };
}

/** What is known of a token's life: when it ends (ms since 1970), undefined for one without an end. */
type Life = { isBatch: boolean; endsAt: number | undefined };

const REVOKE_SELF = 'auth/token/revoke-self';

async function revoke(vault: Vault, token: string, life: Life, warn: (line: string) => void): Promise<void> {
  if (life.isBatch) {
    if (life.endsAt !== undefined && Date.now() >= life.endsAt) return;
    return warn(
      `the Vault token is a batch token, which cannot be revoked: it lives ${howLong(life)}; have its role give out service tokens`,
    );
  }
  try {
    const answer = await vault.ask({ path: REVOKE_SELF, method: 'POST', token });
    if (answer.status === 204 || answer.status === 200 || isGone(answer, life)) return;
    if (answer.status !== 403)
      throw vaultRefusal({ origin: vault.origin, doing: 'to revoke its token', answer, secrets: [token] });
    warn(
      `the Vault token was not revoked, and lives ${howLong(life)}: have one of its policies allow update on ${REVOKE_SELF}`,
    );
  } catch (error) {
    const why = error instanceof CommandError ? error.message : 'unknown error';
    warn(`the Vault token was not revoked, and lives ${howLong(life)}: ${why}`);
  }
}

/** It is no token any more, which is what was wanted; some Vaults say so, others only that it may nothing. */
function isGone(answer: VaultAnswer, { endsAt }: Life): boolean {
  if (answer.status !== 403) return false;
  return (endsAt !== undefined && Date.now() >= endsAt) || NO_TOKEN.test(vaultText(answer, []));
}

function howLong({ endsAt }: Life): string {
  return endsAt === undefined ? 'on' : `${Math.max(0, Math.ceil((endsAt - Date.now()) / 1000))} s longer`;
}
