import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Section } from './figure.ts';
import type { Plan } from './plan.ts';

const CACHE = fileURLToPath(new URL('../../.cache/bench', import.meta.url));

const fileOf = (mode: Plan['mode'], name: string) => join(CACHE, mode, `${name}.json`);

/** Keeps what a case gave, so that one that is measured again replaces its part of the report and no other. */
export function keepSection(mode: Plan['mode'], section: Section): void {
  mkdirSync(join(CACHE, mode), { recursive: true });
  writeFileSync(fileOf(mode, section.name), JSON.stringify(section));
}

/** Gives what was kept of these cases, in their order; those that never ran are left out. */
export function keptSections(mode: Plan['mode'], names: readonly string[]): Section[] {
  return names.flatMap((name) => {
    try {
      return [JSON.parse(readFileSync(fileOf(mode, name), 'utf8')) as Section];
    } catch {
      return [];
    }
  });
}
