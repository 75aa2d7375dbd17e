import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { freePorts } from './processes.ts';

/** Takes a file and names; gives a port for each: those kept in the file, and free ones, kept from now on. */
export async function keepPorts(file: string, names: string[]): Promise<Record<string, number>> {
  const kept = existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as Record<string, number>) : {};
  const missing = names.filter((name) => !(name in kept));
  // A port that is kept may have nobody that listens on it yet.
  const taken = new Set(Object.values(kept));
  const free = (await freePorts(missing.length + taken.size)).filter((port) => !taken.has(port));
  missing.forEach((name, index) => {
    kept[name] = free[index] as number;
  });
  if (missing.length > 0) writeFileSync(file, `${JSON.stringify(kept, null, 2)}\n`, { mode: 0o600 });
  return kept;
}
