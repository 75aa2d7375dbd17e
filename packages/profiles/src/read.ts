import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { compileProfile, ProfileError } from './compile.ts';
import type { Profile } from './profile.ts';

/** Where the profiles that ship with Mayfly are, when it runs from its source. */
export const PROFILES_DIR = fileURLToPath(new URL('../profiles/', import.meta.url));

/**
 * Takes a directory and the name of a profile in it; gives the profile. Throws a ProfileError for a file that is not
 * there, is faulty, or holds a profile of another name.
 */
export async function readProfile(dir: string, name: string): Promise<Profile> {
  if (!/^[a-z0-9][a-z0-9-]{0,63}$/.test(name)) throw new ProfileError([`${name}: is no name of a profile`]);
  const file = join(dir, `${name}.yaml`);
  const text = await readFile(file, 'utf8').catch(() => {
    throw new ProfileError([`${file}: cannot be read`]);
  });
  const profile = compileProfile(text, file);
  if (profile.name !== name)
    throw new ProfileError([`${file}:1: name: must be ${name}, as the file is called`]);
  return profile;
}
