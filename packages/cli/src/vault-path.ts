import { CommandError } from './exit-codes.ts';

/** The mount that logins go to where none is named. */
export const DEFAULT_AUTH_MOUNT = 'jwt';

/**
 * Takes where a Vault's JWT logins are, as people write it (`/auth/concourse`, `auth/concourse/login`, `concourse`);
 * gives the mount. By segments: one leading `auth` and one trailing `login` go, so that `authority` stays what it is.
 */
export function authMount(text: string): string {
  const segments = segmentsOf(text);
  if (segments[0] === 'auth') segments.shift();
  if (segments.at(-1) === 'login') segments.pop();
  if (segments.length === 0) throw wrong('the path of the Vault login names no mount');
  if (!segments.every((segment) => /^[A-Za-z0-9._-]+$/.test(segment)))
    throw wrong('the path of the Vault login may hold letters, digits, ".", "_", "-" and "/" only');
  return refuseDots(segments).join('/');
}

/** Takes a path within Vault; gives it without empty segments. Throws where it would lead elsewhere. */
export function secretPath(text: string): string {
  const segments = refuseDots(segmentsOf(text));
  if (segments.length === 0) throw wrong('a path within Vault is empty');
  if (/\p{Cc}/u.test(text) || !text.isWellFormed())
    throw wrong('a path within Vault holds control characters');
  return segments.join('/');
}

/** Takes a namespace as people write it; gives it as Vault's header takes it, undefined for the root of all. */
export function namespaceOf(text: string): string | undefined {
  const segments = refuseDots(segmentsOf(text));
  if (!segments.every((segment) => /^[\x21-\x7e]+$/.test(segment)))
    throw wrong('the Vault namespace holds characters that no header can carry');
  return segments.length === 0 ? undefined : segments.join('/');
}

/** Takes a path; gives it as a URL holds it. */
export function urlPath(path: string): string {
  return path.split('/').map(encodeURIComponent).join('/');
}

function segmentsOf(text: string): string[] {
  return text.split('/').filter((segment) => segment !== '');
}

function refuseDots(segments: string[]): string[] {
  if (segments.some((segment) => segment === '.' || segment === '..'))
    throw wrong('a path within Vault may not hold "." or ".." as a segment');
  return segments;
}

const wrong = (message: string) => new CommandError('configuration', message);
