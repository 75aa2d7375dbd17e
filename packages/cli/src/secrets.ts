import { isMap, type YamlMap } from './interpolate-yaml.ts';

/** A secret as GitLab's `secrets:` names it. */
export type DeclaredSecret = {
  version: 1 | 2;
  mount: string;
  path: string;
  field: string;
  /** The variable of the ID token that Vault is shown. */
  token: string;
  /** Whether the variable holds the path of a file with the secret, rather than the secret. */
  isFile: boolean;
};

type Fail = (message: string) => never;

const ENGINES: Readonly<Record<string, 1 | 2>> = { 'kv-v2': 2, 'kv-v1': 1, generic: 1 };
const DEFAULT_MOUNT = 'kv-v2';
const KEYS = ['vault', 'token', 'file'];

/** Takes `secrets:` and the names of the declared ID tokens; gives where each secret is. */
export function readSecrets(
  declared: YamlMap,
  idTokens: readonly string[],
  fail: Fail,
): Record<string, DeclaredSecret> {
  const entries = Object.entries(declared).map(([name, secret]) => {
    const place = `secrets.${name}`;
    if (!/^[A-Za-z_][A-Za-z0-9_]{0,127}$/.test(name)) fail(`secrets: ${name} is no name of a variable`);
    if (!isMap(secret)) return fail(`${place} is no map`);
    const other = Object.keys(secret).find((key) => !KEYS.includes(key));
    if (other !== undefined) fail(`${place}.${other} is not known: secrets come from vault`);
    const { file: isFile = true } = secret;
    if (typeof isFile !== 'boolean') return fail(`${place}.file should be true or false`);
    const token = tokenOf(secret['token'], idTokens, place, fail);
    return [name, { ...readPlace(secret['vault'], `${place}.vault`, fail), token, isFile }] as const;
  });
  return Object.fromEntries(entries);
}

function tokenOf(given: unknown, idTokens: readonly string[], place: string, fail: Fail): string {
  if (given === undefined) {
    const [only, ...more] = idTokens;
    if (only === undefined) return fail(`${place} needs an ID token: declare one in id_tokens`);
    if (more.length > 0)
      return fail(`${place}.token is missing: there are ${idTokens.length} ID tokens, say which`);
    return only;
  }
  const [, braced, bare] = /^\$(?:\{(\w+)\}|(\w+))$/.exec(typeof given === 'string' ? given : '') ?? [];
  const name = braced ?? bare;
  if (name === undefined) return fail(`${place}.token should name an ID token, such as $VAULT_ID_TOKEN`);
  return idTokens.includes(name)
    ? name
    : fail(`${place}.token names ${name}, which id_tokens does not declare`);
}

type Place = Pick<DeclaredSecret, 'version' | 'mount' | 'path' | 'field'>;

function readPlace(vault: unknown, place: string, fail: Fail): Place {
  if (typeof vault === 'string') return readShort(vault, place, fail);
  if (!isMap(vault)) return fail(`${place} is missing: say path/field@engine, or engine, path and field`);
  refuseOthers(vault, ['engine', 'path', 'field'], place, fail);
  const { engine, path, field } = vault;
  if (isMap(engine)) refuseOthers(engine, ['name', 'path'], `${place}.engine`, fail);
  if (!isMap(engine) || typeof engine['path'] !== 'string' || typeof engine['name'] !== 'string')
    return fail(`${place}.engine should be { name: kv-v2, path: MOUNT }`);
  const version = Object.hasOwn(ENGINES, engine['name']) ? ENGINES[engine['name']] : undefined;
  if (version === undefined) return fail(`${place}.engine.name should be kv-v2, kv-v1 or generic`);
  if (typeof path !== 'string' || typeof field !== 'string' || !path || !field)
    return fail(`${place} needs a path and a field`);
  return { version, mount: engine['path'], path, field };
}

function refuseOthers(map: YamlMap, known: readonly string[], place: string, fail: Fail): void {
  const other = Object.keys(map).find((key) => !known.includes(key));
  if (other !== undefined) fail(`${place}.${other} is not known: it has ${known.join(', ')}`);
}

/** `production/db/password@ops`: the last segment is the field, what stands behind the last `@` the mount. */
function readShort(text: string, place: string, fail: Fail): Place {
  const at = text.lastIndexOf('@');
  const mount = at < 0 ? DEFAULT_MOUNT : text.slice(at + 1);
  const segments = (at < 0 ? text : text.slice(0, at)).split('/');
  const field = segments.pop();
  const path = segments.join('/');
  if (!field || !path || !mount)
    return fail(`${place} should be PATH/FIELD@ENGINE, such as production/db/password@ops`);
  return { version: 2, mount, path, field };
}
