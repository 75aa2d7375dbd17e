import { CommandError } from './exit-codes.ts';
import { secretPath, urlPath } from './vault-path.ts';
import { vaultRefusal } from './vault-refusal.ts';
import type { Vault } from './vault-request.ts';

/** The fields of a secret. */
export type SecretData = Readonly<Record<string, unknown>>;

/** Where a secret is, in an engine whose version is known. */
export type KvPlace = { version: 1 | 2; mount: string; path: string };

/** Reads a secret of a mount whose version is known; undefined where it is not there, or deleted. */
export async function readSecretAt(
  vault: Vault,
  token: string,
  { version, mount, path }: KvPlace,
): Promise<SecretData | undefined> {
  const [engine, below] = [secretPath(mount), secretPath(path)];
  const whole = version === 2 ? `${engine}/data/${below}` : `${engine}/${below}`;
  const answer = await vault.ask({ path: urlPath(whole), token });
  if (answer.status === 404 && isAbsent(answer.body)) return undefined;
  if (answer.status !== 200)
    throw vaultRefusal({
      origin: vault.origin,
      doing: `to read ${engine}/${below}`,
      answer,
      secrets: [token],
    });
  const data = answer.body?.['data'];
  const fields = version === 2 ? (data as Record<string, unknown> | null)?.['data'] : data;
  if (typeof fields !== 'object' || fields === null || Array.isArray(fields))
    throw new CommandError(
      'configuration',
      `${engine} in Vault at ${vault.origin} is no KV version ${version}: name its engine as it is`,
    );
  return fields as SecretData;
}

/** Reads a secret by its whole path, asking Vault which version its mount is; undefined where it is not there. */
export async function readSecret(vault: Vault, token: string, path: string): Promise<SecretData | undefined> {
  const whole = secretPath(path);
  const answer = await vault.ask({ path: `sys/internal/ui/mounts/${urlPath(whole)}`, token });
  // 403 where no policy of this token touches the path, whether or not something is mounted there.
  if (answer.status === 403) return undefined;
  if (answer.status === 404)
    return whole.includes('/') ? await readSecretAt(vault, token, splitFirst(whole)) : undefined;
  if (answer.status !== 200)
    throw vaultRefusal({
      origin: vault.origin,
      doing: `to tell what is at ${whole}`,
      answer,
      secrets: [token],
    });
  const { path: named, options } = (answer.body?.['data'] ?? {}) as Record<string, unknown>;
  const mount = typeof named === 'string' ? named.replace(/\/+$/, '') : '';
  if (mount === '' || !whole.startsWith(`${mount}/`)) return undefined;
  const isSecond = (options as Record<string, unknown> | null | undefined)?.['version'] === '2';
  return await readSecretAt(vault, token, {
    version: isSecond ? 2 : 1,
    mount,
    path: whole.slice(mount.length + 1),
  });
}

/** A Vault that is too old to say what is mounted has KV version 1. */
function splitFirst(path: string): KvPlace {
  const [mount = '', ...rest] = path.split('/');
  return { version: 1, mount, path: rest.join('/') };
}

/** 404 without errors, or with a version that was deleted; a mount that is not there says so in its errors. */
function isAbsent(body: Record<string, unknown> | undefined): boolean {
  if (!body) return false;
  const { errors, warnings, data } = body;
  if (Array.isArray(errors)) return errors.length === 0;
  return !(Array.isArray(warnings) && warnings.length > 0 && data === null);
}
