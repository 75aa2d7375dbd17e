import { CommandError } from './exit-codes.ts';
import { isMap, mapOf, readYamlFile, type YamlMap } from './interpolate-yaml.ts';
import { type DeclaredSecret, readSecrets } from './secrets.ts';

/** What a job or a flow declares in GitLab's words, and the variables that its file sets. */
export type AgentConfig = {
  /** Environment variable → audiences. */
  idTokens: Readonly<Record<string, readonly string[]>>;
  /** Environment variable → where its secret is. */
  secrets: Readonly<Record<string, DeclaredSecret>>;
  variables: Readonly<Record<string, string>>;
};

/**
 * Reads `id_tokens`, `secrets` and `variables` of a file: those at its top, as in a flow's agent-config.yml, or those
 * of one `job`, with `default` and the file's own variables beneath, as in .gitlab-ci.yml.
 */
export function readAgentConfig(file: string, job: string | undefined): AgentConfig {
  const top = mapOf(readYamlFile(file), file);
  const fail = (message: string): never => {
    throw new CommandError('configuration', `${file}: ${message}`);
  };
  const own = job === undefined ? top : jobOf(top, job, fail);
  const beneath = job === undefined ? {} : mapAt(top, 'default', 'default', fail);
  const place = job === undefined ? '' : `${job}.`;
  const declared = { ...beneath, ...own };
  const idTokens = readIdTokens(mapAt(declared, 'id_tokens', `${place}id_tokens`, fail), fail);
  return {
    idTokens,
    secrets: readSecrets(mapAt(declared, 'secrets', `${place}secrets`, fail), Object.keys(idTokens), fail),
    variables: {
      ...readVariables(mapAt(top, 'variables', 'variables', fail)),
      ...readVariables(mapAt(own, 'variables', `${place}variables`, fail)),
    },
  };
}

type Fail = (message: string) => never;

/** Environment variables that a file may name. */
export const VARIABLE_NAME = /^[A-Za-z_][A-Za-z0-9_]{0,127}$/;

function jobOf(top: YamlMap, job: string, fail: Fail): YamlMap {
  const own = Object.hasOwn(top, job) ? top[job] : undefined;
  if (!isMap(own)) return fail(`there is no job ${job}`);
  if ('extends' in own)
    return fail(
      `${job} extends another job, which is not followed: pass the merged file (glab ci config compile)`,
    );
  return own;
}

function mapAt(map: YamlMap, name: string, place: string, fail: Fail): YamlMap {
  const value = map[name];
  if (value === undefined) return {};
  return isMap(value) ? value : fail(`${place} is no map of names`);
}

function readIdTokens(declared: YamlMap, fail: Fail): AgentConfig['idTokens'] {
  const entries = Object.entries(declared).map(([name, token]) => {
    if (!VARIABLE_NAME.test(name)) fail(`id_tokens: ${name} is no name of a variable`);
    return [name, audiencesOf(token, `id_tokens.${name}`, fail)] as const;
  });
  return Object.fromEntries(entries);
}

function audiencesOf(token: unknown, place: string, fail: Fail): string[] {
  if (!isMap(token)) return fail(`${place} should be { aud: AUDIENCE }`);
  const other = Object.keys(token).find((key) => key !== 'aud');
  if (other !== undefined) fail(`${place}.${other} is not known: it should be { aud: AUDIENCE }`);
  const audiences = Array.isArray(token['aud']) ? token['aud'] : [token['aud']];
  if (audiences.length === 0 || !audiences.every((one) => typeof one === 'string' && one !== ''))
    return fail(`${place}.aud should be an audience or a list of some`);
  return audiences as string[];
}

/** GitLab writes a variable as its value, or as `{ value, description, … }`. */
function readVariables(declared: YamlMap): Record<string, string> {
  const entries = Object.entries(declared).flatMap(([name, given]) => {
    const value = isMap(given) ? given['value'] : given;
    return ['string', 'number', 'boolean'].includes(typeof value) ? [[name, String(value)] as const] : [];
  });
  return Object.fromEntries(entries);
}
