import { CommandError } from './exit-codes.ts';
import { isMap, type YamlMap } from './interpolate-yaml.ts';

/** A variable source of a pipeline, as it is written; its texts may refer to other sources. */
export type VarSource = { name: string; type: 'idtoken' | 'vault' | 'concourse'; config: YamlMap };

/** What a source of each of our types may say. */
const KEYS = {
  idtoken: ['audience', 'subject_scope', 'expires_in', 'algorithm'],
  vault: [
    ...['url', 'path_prefix', 'lookup_templates', 'shared_path', 'namespace'],
    ...['auth_type', 'auth_path', 'auth_role', 'auth_params', 'auth_audience'],
  ],
} as const;

/** Types that Concourse itself resolves; a Vault with another way to log in is one of them. */
const CONCOURSE_TYPES = ['vault', 'dummy', 'ssm', 'secretmanager', 'secretsmanager', 'conjur'];

/** Reads `var_sources:`; throws for the first that is not what it says. */
export function readVarSources(declared: unknown): VarSource[] {
  if (declared === undefined || declared === null) return [];
  if (!Array.isArray(declared)) throw wrong('var_sources is no list');
  const sources = declared.map(readVarSource);
  const names = sources.map(({ name }) => name);
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined) throw wrong(`there are two var_sources called ${twice}`);
  return sources;
}

function readVarSource(declared: unknown, index: number): VarSource {
  const { name, type, config = {} } = isMap(declared) ? declared : {};
  if (typeof name !== 'string' || !/^[-/\w\p{L}][-/.\w\p{L}]*$/u.test(name))
    throw wrong(`var_sources[${index}] has no name, or none that can stand before a colon`);
  if (!isMap(config)) throw wrong(`the config of the var_source ${name} is no map`);
  if (type === 'idtoken' || (type === 'vault' && config['auth_type'] !== undefined))
    return { name, type, config: checkKeys(name, config, KEYS[type]) };
  if (typeof type === 'string' && CONCOURSE_TYPES.includes(type)) return { name, type: 'concourse', config };
  throw wrong(`the var_source ${name} is of no known type: idtoken and vault are`);
}

function checkKeys(name: string, config: YamlMap, keys: readonly string[]): YamlMap {
  const other = Object.keys(config).find((key) => !keys.includes(key));
  if (other === undefined) return config;
  const instead = /^(ca_cert|client_cert|insecure)/.test(other)
    ? ': name the certificate in NODE_EXTRA_CA_CERTS'
    : '';
  throw wrong(`the var_source ${name} says ${other}, which is not known${instead}`);
}

/** Gives a text of a source's config; throws where it is something else. */
export function textOf({ name, config }: VarSource, key: string): string | undefined {
  const value = config[key];
  if (value === undefined || typeof value === 'string') return value;
  throw wrong(`${key} of the var_source ${name} is no text`);
}

/** Gives a list of texts of a source's config, one alone as a list of one. */
export function textsOf({ name, config }: VarSource, key: string): string[] | undefined {
  const value = config[key];
  if (value === undefined) return undefined;
  const all = Array.isArray(value) ? value : [value];
  if (all.every((one) => typeof one === 'string')) return all;
  throw wrong(`${key} of the var_source ${name} is no list of texts`);
}

/** A fault of the file. */
export function wrong(message: string): CommandError {
  return new CommandError('configuration', message);
}
