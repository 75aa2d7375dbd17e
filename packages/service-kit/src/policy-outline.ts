import { readFileSync } from 'node:fs';
import { parse } from 'yaml';

/** What mayfly.yaml names, even where something in it is faulty. */
export type PolicyOutline = {
  sources: Record<string, { profile?: string }>;
  relying_parties: Record<string, unknown>;
};

/**
 * Takes the path of mayfly.yaml; gives what it names, nothing where it cannot be read: enough to look for faults in the
 * files and secrets that it asks for, beside those of its own.
 */
export function outlinePolicy(file: string | undefined): PolicyOutline {
  const { sources, relying_parties } = recordIn(file && readLoosely(file));
  const profiles = Object.entries(recordIn(sources)).map(([name, source]) => {
    const { profile } = recordIn(source);
    return [name, typeof profile === 'string' && PROFILE_NAME.test(profile) ? { profile } : {}] as const;
  });
  return { sources: Object.fromEntries(profiles), relying_parties: recordIn(relying_parties) };
}

const PROFILE_NAME = /^[a-z0-9][a-z0-9-]{0,63}$/;

function readLoosely(file: string): unknown {
  try {
    return parse(readFileSync(file, 'utf8'), { logLevel: 'silent' });
  } catch {
    return undefined;
  }
}

function recordIn(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? { ...value } : {};
}
