import { textOf, type VarSource, wrong } from './var-source.ts';
import type { VaultLogin, VaultSession } from './vault.ts';

/** Where a `vault` source logs in, without the token that it shows. */
export type VaultSource = Pick<VaultLogin, 'url' | 'namespace' | 'authPath' | 'role'> & {
  /** The token as `auth_params` gives it; undefined where it is the build's own. */
  jwt: string | undefined;
  /** Whom the build's own token is for: `auth_audience`, or the address of the Vault. */
  audience: string;
};

/** Reads the config of a `vault` source with `auth_type: jwt`. */
export function readVault(source: VarSource): VaultSource {
  const url = textOf(source, 'url');
  if (!url) throw wrong(`the var_source ${source.name} has no url`);
  if (source.config['auth_type'] !== 'jwt')
    throw wrong(`auth_type of the var_source ${source.name} should be jwt`);
  const { role, jwt, ...others } = paramsOf(source);
  const [other] = Object.keys(others);
  if (other !== undefined)
    throw wrong(`auth_params of the var_source ${source.name} says ${other}: role and jwt are known`);
  return {
    ...{ url, jwt, namespace: textOf(source, 'namespace'), authPath: textOf(source, 'auth_path') },
    role: textOf(source, 'auth_role') ?? role,
    audience: textOf(source, 'auth_audience') ?? url,
  };
}

function paramsOf({ name, config }: VarSource): Partial<Record<string, string>> {
  const params = config['auth_params'] ?? {};
  const isTexts =
    typeof params === 'object' && Object.values(params).every((value) => typeof value === 'string');
  if (!isTexts || Array.isArray(params))
    throw wrong(`auth_params of the var_source ${name} is no map of texts`);
  return params as Partial<Record<string, string>>;
}

/** Reads a secret at the first of `paths` that has it; its `value` where it has one, else all of it. */
export async function findSecret(
  session: VaultSession,
  source: string,
  secret: string,
  paths: readonly string[],
): Promise<unknown> {
  for (const path of paths) {
    const data = await session.read(path);
    if (data) return Object.hasOwn(data, 'value') ? data['value'] : data;
  }
  const where = paths.join(', ');
  throw wrong(
    `there is no secret ${JSON.stringify(secret)} in ${source}, or none that it may read (${where})`,
  );
}
