import { existsSync, readFileSync } from 'node:fs';
import { writePrivate } from './deployment.ts';
import { freePorts } from './processes.ts';

/** Takes a file and names; gives a port for each: those kept in the file, and free ones, kept from now on. */
export async function keepPorts(file: string, names: string[]): Promise<Record<string, number>> {
  const kept = existsSync(file) ? readPorts(file) : {};
  const missing = names.filter((name) => !(name in kept));
  // A port that is kept may have nobody that listens on it yet.
  const taken = new Set(Object.values(kept));
  const free = (await freePorts(missing.length + taken.size)).filter((port) => !taken.has(port));
  missing.forEach((name, index) => {
    kept[name] = free[index] as number;
  });
  if (missing.length > 0) writePrivate(file, `${JSON.stringify(kept, null, 2)}\n`);
  return kept;
}

function readPorts(file: string): Record<string, number> {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as Record<string, number>;
  } catch {
    throw new Error(
      `${file} is no JSON: put back what it was; without it every address becomes another, issuers too`,
    );
  }
}
