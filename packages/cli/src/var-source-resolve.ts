import { LOCAL_SOURCE, type Reference, referencesIn, substitute } from './interpolate-text.ts';
import { isMap } from './interpolate-yaml.ts';
import type { Issuer } from './issuer.ts';
import { type VarSource, wrong } from './var-source.ts';
import { checkAlgorithm, readIdToken } from './var-source-idtoken.ts';
import type { Whose } from './var-source-lookup.ts';
import { findSecret, readVault } from './var-source-vault.ts';
import { loginToVault, type VaultLogin, type VaultSession } from './vault.ts';

/** What resolving needs; the issuer is only asked for where a source needs it. */
export type Resolving = {
  sources: readonly VarSource[];
  /** Values of names without a source. */
  variables: Readonly<Record<string, string>>;
  /** Whether a name without a source and a value stays as it is, for Concourse. */
  keepsUnknown: boolean;
  whose: Whose;
  /** The token that its CI gave the build already, where it did. */
  buildToken: string | undefined;
  issuer(): Promise<Issuer>;
  place: Pick<VaultLogin, 'timeoutMs'>;
  warn(line: string): void;
  /** Has a token or a secret masked, before anything else is done with it. */
  mask(secret: string): Promise<void>;
  resources: AsyncDisposableStack;
};

/** Gives the value of a reference; undefined where it is left to Concourse. */
export type Resolver = (reference: Reference) => Promise<unknown>;

const BUILD_TOKEN = '.CONCOURSE_CI_JWT';

/** Makes a resolver: each source is used when it is first named, and each of its secrets read once. */
export function varResolver(resolving: Resolving): Resolver {
  const { sources, variables, keepsUnknown } = resolving;
  const cache = new Map<string, Promise<unknown>>();
  const once = (key: string, make: () => Promise<unknown>) => {
    const known = cache.get(key) ?? make();
    cache.set(key, known);
    return known;
  };
  const resolve = async (reference: Reference, way: readonly string[]): Promise<unknown> => {
    const { source: name, path, text } = reference;
    if (name === LOCAL_SOURCE) return undefined;
    if (name === undefined) {
      if (Object.hasOwn(variables, path)) return fieldOf(variables[path], reference);
      if (keepsUnknown && !path.startsWith('.')) return undefined;
      throw wrong(`((${text})) names nothing: give it with --var, or leave such names to Concourse with --keep-unknown`);
    }
    const source = sources.find((one) => one.name === name);
    if (!source) throw wrong(`((${text})) names the source ${name}, which var_sources does not have`);
    if (source.type === 'concourse') return undefined;
    if (way.includes(name)) throw wrong(`the var_sources ${[...way, name].join(' → ')} go in a circle`);
    const settled = (await once(`config ${name}`, () => settle(source, [...way, name]))) as VarSource;
    const value = await once(`value ${name}:${path}`, () => valueOf(settled, path, resolving, once));
    return await masked(fieldOf(value, reference), resolving);
  };
  const settle = async (source: VarSource, way: readonly string[]): Promise<VarSource> => {
    const config = (await mapTexts(source.config, (text) => filled(text, way))) as VarSource['config'];
    return { ...source, config };
  };
  const filled = async (text: string, way: readonly string[]): Promise<unknown> => {
    const values = new Map<string, unknown>();
    for (const reference of referencesIn(text)) {
      const isOwn = reference.source === undefined && reference.path === BUILD_TOKEN;
      const value = isOwn ? reference : await resolve(reference, way);
      if (value === undefined) throw wrong(`((${reference.text})) stands in var_sources and is not known here`);
      values.set(reference.text, isOwn ? `((${reference.text}))` : value);
    }
    return substitute(text, ({ text: inner }) => values.get(inner));
  };
  return (reference) => resolve(reference, []);
}

type Once = (key: string, make: () => Promise<unknown>) => Promise<unknown>;

async function valueOf(source: VarSource, path: string, resolving: Resolving, once: Once): Promise<unknown> {
  if (source.type === 'idtoken') {
    if (path !== 'token') throw wrong(`the var_source ${source.name} has a token and nothing else: ((${source.name}:token))`);
    const { request, algorithm } = readIdToken(source);
    const { token } = await (await resolving.issuer()).issue(request);
    checkAlgorithm(token, algorithm, source.name);
    return token;
  }
  const session = (await once(`login ${source.name}`, () => login(source, resolving))) as VaultSession;
  return await findSecret(session, source, path, resolving.whose);
}

async function login(source: VarSource, resolving: Resolving): Promise<VaultSession> {
  const { jwt, audience, ...address } = readVault(source);
  const isOwn = jwt === undefined || jwt === `((${BUILD_TOKEN}))`;
  const shown = isOwn ? await buildToken(audience, resolving) : jwt;
  const session = await loginToVault({ ...address, ...resolving.place, jwt: shown }, resolving.warn);
  resolving.resources.use(session);
  await resolving.mask(session.token);
  return session;
}

/** `CONCOURSE_CI_JWT` where the build has it, else a token for the Vault. */
async function buildToken(audience: string, { buildToken: given, issuer, mask }: Resolving): Promise<string> {
  const token = given ?? (await (await issuer()).issue({ audiences: [audience] })).token;
  await mask(token);
  return token;
}

function fieldOf(value: unknown, { text, fields }: Reference): unknown {
  return fields.reduce((part, field) => {
    if (!isMap(part) || !Object.hasOwn(part, field)) throw wrong(`((${text})) names a field ${field}, which is not there`);
    return part[field];
  }, value);
}

async function masked(value: unknown, { mask }: Resolving): Promise<unknown> {
  await mapTexts(value, async (text) => mask(text));
  return value;
}

/** Takes data; gives it with every text in it changed. */
async function mapTexts(value: unknown, change: (text: string) => Promise<unknown>): Promise<unknown> {
  if (typeof value === 'string') return await change(value);
  if (Array.isArray(value)) return await Promise.all(value.map((one) => mapTexts(one, change)));
  if (!isMap(value)) return value;
  const entries = Object.entries(value).map(async ([key, one]) => [key, await mapTexts(one, change)] as const);
  return Object.fromEntries(await Promise.all(entries));
}
