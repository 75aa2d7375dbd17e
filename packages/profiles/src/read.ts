import { existsSync, readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { POLICY_DEFAULTS } from '@mayfly/contracts/policy';
import { compileProfile, ProfileError } from './compile.ts';
import type { Profile } from './profile.ts';

/** Where the profiles that ship with Mayfly are, when it runs from its source. */
export const PROFILES_DIR = fileURLToPath(new URL('../profiles/', import.meta.url));

/** Their names. */
export const SHIPPED_PROFILES = [
  'buildkite',
  'concourse',
  'github',
  'gitlab',
  'mayfly',
  'n8n',
  'vela',
] as const;

/** Takes the folder of an operator's own profiles, if there is one, and a name; gives the folder that the profile is in. */
export function profileFolder(own: string | undefined, name: string): string {
  return own !== undefined && existsSync(fileOf(own, name)) ? own : PROFILES_DIR;
}

/**
 * Takes a directory and the name of a profile in it; gives the profile. Throws a ProfileError for a file that is not
 * there, is faulty, or holds a profile of another name.
 */
export async function readProfile(dir: string, name: string): Promise<Profile> {
  const file = fileOf(dir, name);
  const text = await readFile(file, 'utf8').catch(() => {
    throw new ProfileError([`${file}: cannot be read`]);
  });
  return named(name, text, file);
}

/** What names profiles: the policy, or what can be known of one that is faulty. */
type Naming = { sources: Record<string, { profile?: string; audiences?: readonly string[] }> };

/** Profiles by their names, the names of those that are faulty, and each fault of those. */
export type FoundProfiles = {
  profiles: ReadonlyMap<string, Profile>;
  faulty: ReadonlySet<string>;
  faults: readonly string[];
};

/**
 * Takes the folder of an operator's own profiles, if there is one, and the policy; gives every profile that the policy
 * names, without those that there are not. Where it is not in that folder it is the one that ships.
 */
export function findProfiles(own: string | undefined, policy: Naming): FoundProfiles {
  const names = Object.values(policy.sources).map(({ profile }) => profile ?? POLICY_DEFAULTS.profile);
  const profiles = new Map<string, Profile>();
  const faulty = new Set<string>();
  const faults = own === undefined || existsSync(own) ? [] : [`profiles: ${own} is no folder`];
  for (const name of new Set(names)) {
    const file = fileOf(profileFolder(own, name), name);
    if (!existsSync(file)) continue;
    try {
      profiles.set(name, named(name, readFileSync(file, 'utf8'), file));
    } catch (error) {
      faulty.add(name);
      faults.push(...(error instanceof ProfileError ? error.faults : [`${file}: cannot be read`]));
    }
  }
  return { profiles, faulty, faults };
}

function fileOf(dir: string, name: string): string {
  if (!/^[a-z0-9][a-z0-9-]{0,63}$/.test(name)) throw new ProfileError([`${name}: is no name of a profile`]);
  return join(dir, `${name}.yaml`);
}

function named(name: string, text: string, file: string): Profile {
  const profile = compileProfile(text, file);
  if (profile.name !== name)
    throw new ProfileError([`${file}:1: name: must be ${name}, as the file is called`]);
  return profile;
}
