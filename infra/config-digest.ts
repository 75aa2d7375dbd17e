import { createHash } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';

/** Takes the paths of files and folders; gives one text for what is in the files: another as soon as one of them changes. */
export function configDigest(paths: string[]): string {
  const hash = createHash('sha256');
  for (const path of paths.toSorted((one, other) => (one < other ? -1 : 1))) {
    if (!statSync(path).isFile()) continue;
    const text = readFileSync(path);
    hash.update(`${path.length} ${path} ${text.length} `).update(text);
  }
  return hash.digest('hex').slice(0, 16);
}
