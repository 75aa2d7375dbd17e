import { LOCAL_SOURCE, type Reference, referencesIn, substitute } from './interpolate-text.ts';
import { isMap } from './interpolate-yaml.ts';
import { type VarSource, wrong } from './var-source.ts';
import { BUILD_TOKEN, mapTexts, readVariable, type Using } from './var-source-value.ts';

/** What resolving needs: the sources of a file, and what its names without a source stand for. */
export type Resolving = Using & {
  sources: readonly VarSource[];
  variables: Readonly<Record<string, string>>;
  /** Whether a name without a source and a value stays as it is, for Concourse. */
  keepsUnknown: boolean;
};

/** Gives the value of a reference; undefined where it is left to Concourse. */
export type Resolver = (reference: Reference) => Promise<unknown>;

/** Resolves a reference that stands in the config of the last source of `way`. */
type Resolve = (reference: Reference, way: readonly string[]) => Promise<unknown>;

/** Makes a resolver: each source is used when it is first named, and each of its secrets read once. */
export function varResolver(resolving: Resolving): Resolver {
  const values = new Map<string, Promise<unknown>>();
  const settled = new Map<string, Promise<VarSource>>();
  const resolve: Resolve = async (reference, way) => {
    const source = sourceOf(reference, resolving, way);
    if (source === undefined) return unsourced(reference, resolving);
    if (source === 'left to Concourse') return undefined;
    const { name } = source;
    const whole = settled.get(name) ?? settle(source, [...way, name], resolve);
    settled.set(name, whole);
    const key = `${name}:${reference.path}`;
    const value = values.get(key) ?? readVariable(await whole, reference.path, resolving);
    values.set(key, value);
    return await masked(fieldOf(await value, reference), resolving);
  };
  return (reference) => resolve(reference, []);
}

function sourceOf(
  { source: name, text }: Reference,
  { sources }: Resolving,
  way: readonly string[],
): VarSource | 'left to Concourse' | undefined {
  if (name === undefined) return undefined;
  if (name === LOCAL_SOURCE) return 'left to Concourse';
  const source = sources.find((one) => one.name === name);
  if (!source) throw wrong(`((${text})) names the source ${name}, which var_sources does not have`);
  if (source.type === 'concourse') return 'left to Concourse';
  if (way.includes(name))
    throw wrong(`the var_sources ${[...way, name].join(', ')} refer to each other in a circle`);
  return source;
}

function unsourced(reference: Reference, { variables, keepsUnknown }: Resolving): unknown {
  const { path, text } = reference;
  if (Object.hasOwn(variables, path)) return fieldOf(variables[path], reference);
  if (keepsUnknown && !path.startsWith('.')) return undefined;
  throw wrong(
    `((${text})) names nothing: give it with --var, or leave such names to Concourse with --keep-unknown`,
  );
}

/** Gives a source with the references in its config replaced; that to the build's own token stays. */
async function settle(source: VarSource, way: readonly string[], resolve: Resolve): Promise<VarSource> {
  const config = await mapTexts(source.config, async (text) => {
    const meanings = new Map<string, unknown>();
    for (const reference of referencesIn(text)) {
      const isOwn = reference.source === undefined && reference.path === BUILD_TOKEN;
      const value = isOwn ? `((${reference.text}))` : await resolve(reference, way);
      if (value === undefined)
        throw wrong(`((${reference.text})) stands in var_sources and is not known here`);
      meanings.set(reference.text, value);
    }
    return substitute(text, (reference) => meanings.get(reference.text));
  });
  return { ...source, config: config as VarSource['config'] };
}

function fieldOf(value: unknown, { text, fields }: Reference): unknown {
  return fields.reduce((part, field) => {
    if (isMap(part) && Object.hasOwn(part, field)) return part[field];
    throw wrong(`((${text})) names a field ${field}, which is not there`);
  }, value);
}

async function masked(value: unknown, { mask }: Resolving): Promise<unknown> {
  if (typeof value === 'number') await mask(String(value));
  await mapTexts(value, mask);
  return value;
}
