import { audienceExpander, readVariables } from './agent-variables.ts';
import { CommandError } from './exit-codes.ts';
import { isMap, mapOf, readYamlDocuments, readYamlFile, type YamlMap } from './interpolate-yaml.ts';
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
  const fail = (message: string): never => {
    throw new CommandError('configuration', `${file}: ${message}`);
  };
  const top = job === undefined ? topOf(readYamlFile(file), file) : pipelineOf(file);
  const own = job === undefined ? top : jobOf(top, job, fail);
  const beneath = job === undefined ? {} : inherited(own, 'default', mapAt(top, 'default', 'default', fail));
  const place = job === undefined ? '' : `${job}.`;
  const declared = { ...beneath, ...own };
  const given = ['id_tokens', 'secrets'].map((name) => mapAt(declared, name, `${place}${name}`, fail));
  const [declaredTokens = {}, declaredSecrets = {}] = given;
  refuseInputs(given, fail);
  const variables = readVariables(
    inherited(own, 'variables', mapAt(top, 'variables', 'variables', fail)),
    mapAt(own, 'variables', `${place}variables`, fail),
  );
  const idTokens = readIdTokens(declaredTokens, audienceExpander(variables, fail), fail);
  const secrets = readSecrets(declaredSecrets, Object.keys(idTokens), fail);
  refuseDoubleNames(Object.keys(idTokens), Object.keys(secrets), fail);
  return { idTokens, secrets, variables: variables.values };
}

type Fail = (message: string) => never;

/** Environment variables that a file may name. */
export const VARIABLE_NAME = /^[A-Za-z_][A-Za-z0-9_]{0,127}$/;

function topOf(document: ReturnType<typeof readYamlFile>, file: string): YamlMap {
  return document.contents === null ? {} : mapOf(document, file);
}

/** A .gitlab-ci.yml may begin with a document that holds only `spec`: the inputs that it takes. */
function pipelineOf(file: string): YamlMap {
  const [header, pipeline, ...more] = readYamlDocuments(file);
  if (header === undefined || pipeline === undefined || more.length > 0)
    return topOf(readYamlFile(file), file);
  const isHeader = Object.keys(topOf(header, file)).join() === 'spec';
  return topOf(isHeader ? pipeline : readYamlFile(file), file);
}

function jobOf(top: YamlMap, job: string, fail: Fail): YamlMap {
  const own = Object.hasOwn(top, job) ? top[job] : undefined;
  if (!isMap(own)) return fail(`there is no job ${job}`);
  if ('extends' in own)
    return fail(
      `${job} extends another job, which is not followed: pass the merged file (glab ci config compile)`,
    );
  return own;
}

/** What a job takes of `default` or of the file's variables: all, or by `inherit` none or those that it lists. */
function inherited({ inherit }: YamlMap, name: 'default' | 'variables', all: YamlMap): YamlMap {
  const wanted = isMap(inherit) ? inherit[name] : undefined;
  if (wanted === false) return {};
  return Array.isArray(wanted)
    ? Object.fromEntries(Object.entries(all).filter(([key]) => wanted.includes(key)))
    : all;
}

function mapAt(map: YamlMap, name: string, place: string, fail: Fail): YamlMap {
  const value = map[name];
  // A name with nothing behind it declares nothing.
  if (value === undefined || value === null) return {};
  return isMap(value) ? value : fail(`${place} is no map of names`);
}

/** What GitLab would have filled in before a runner sees it. */
function refuseInputs(declared: readonly YamlMap[], fail: Fail): void {
  if (JSON.stringify(declared).includes('$[['))
    fail('what is declared names an input ($[[ … ]]): pass the merged file (glab ci config compile)');
}

/** Of two that are written to one variable, one would be lost. */
function refuseDoubleNames(tokens: readonly string[], secrets: readonly string[], fail: Fail): void {
  const taken = new Set(tokens);
  const clash = [...tokens.map((name) => `${name}_FILE`), ...secrets].find((name) => {
    const isTaken = taken.has(name);
    taken.add(name);
    return isTaken;
  });
  if (clash !== undefined)
    fail(`${clash} is the variable of two: of a token, of its file (NAME_FILE) or of a secret; rename one`);
}

function readIdTokens(
  declared: YamlMap,
  expand: (audience: string) => string,
  fail: Fail,
): AgentConfig['idTokens'] {
  const entries = Object.entries(declared).map(([name, token]) => {
    if (!VARIABLE_NAME.test(name)) fail(`id_tokens: ${name} is no name of a variable`);
    return [name, audiencesOf(token, `id_tokens.${name}`, fail).map(expand)] as const;
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
