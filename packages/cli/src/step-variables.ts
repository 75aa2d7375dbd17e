import type { Environment } from './grant.ts';

/** What we would set for a step, and what it gets: where its own configuration says otherwise, that wins. */
export function stepEnvironment(
  own: Environment,
  offered: Environment,
  warn: (line: string) => void,
): Record<string, string | undefined> {
  const result: Record<string, string | undefined> = { ...own };
  for (const [name, value] of Object.entries(offered)) {
    if (own[name] !== undefined && own[name] !== value) {
      warn(`${name} is set already and stays as it is: unset it to use the one of this build`);
    } else {
      result[name] = value;
    }
  }
  return result;
}
