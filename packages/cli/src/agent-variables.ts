import { isMap, type YamlMap } from './interpolate-yaml.ts';

/** Variables that a file sets; `raw` names those of `expand: false`, in which a `$` is only a sign. */
export type FileVariables = { values: Readonly<Record<string, string>>; raw: ReadonlySet<string> };

const VARIABLE = /\$\$|\$\{([A-Za-z_][A-Za-z0-9_]*)\}|\$([A-Za-z_][A-Za-z0-9_]*)/g;

/** Takes maps of variables, the last before those beneath it. GitLab writes one as its value, or as `{ value, expand, … }`. */
export function readVariables(...declared: YamlMap[]): FileVariables {
  const values: Record<string, string> = {};
  const raw = new Set<string>();
  for (const [name, given] of declared.flatMap((one) => Object.entries(one))) {
    const value = isMap(given) ? given['value'] : given;
    if (!['string', 'number', 'boolean'].includes(typeof value)) continue;
    values[name] = String(value);
    raw.delete(name);
    if (isMap(given) && given['expand'] === false) raw.add(name);
  }
  return { values, raw };
}

/**
 * Takes the variables of a file; gives what expands an audience from them. `$$`, `${environment}` and what the file
 * does not set stay as they are: those the issuer expands, from the build. A runner may choose any audience, and the
 * issuer holds what comes of it against policy, so that nothing is gained by setting a variable here.
 */
export function audienceExpander({ values, raw }: FileVariables, fail: (message: string) => never) {
  const done = new Map<string, string>();
  const valueOfName = (name: string, within: readonly string[]): string => {
    if (within.includes(name)) return fail(`variables: ${[...within, name].join(', ')} refer to each other`);
    const value = values[name] as string;
    const text = raw.has(name)
      ? value.replaceAll('$', '$$$$')
      : (done.get(name) ?? expand(value, [...within, name]));
    done.set(name, text);
    return text;
  };
  const expand = (text: string, within: readonly string[]): string => {
    const expanded = text.replace(VARIABLE, (whole, braced?: string, bare?: string) => {
      const name = braced ?? bare;
      if (name === undefined || braced === 'environment' || !Object.hasOwn(values, name)) return whole;
      return valueOfName(name, within);
    });
    return expanded.length <= LONGEST ? expanded : fail('variables: what an audience names is too long');
  };
  return (audience: string): string => expand(audience, []);
}

/** Far beyond what an audience can be; variables that double one another stop here. */
const LONGEST = 4096;
