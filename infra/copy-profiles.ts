import { copyFileSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';

/**
 * Takes the folder of the operator's own profiles, if there is one, and the folder to mount; has the latter hold those
 * profiles and nothing else. Gives every path of it.
 */
export function copyProfiles(own: string | undefined, to: string): string[] {
  rmSync(to, { recursive: true, force: true });
  mkdirSync(to, { recursive: true, mode: 0o700 });
  const names = own === undefined ? [] : readdirSync(own).filter((name) => name.endsWith('.yaml'));
  for (const name of names) copyFileSync(join(own as string, name), join(to, name));
  return [to, ...names.map((name) => join(to, name))];
}
