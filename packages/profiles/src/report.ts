import { FIELDS } from './fields.ts';
import { parseTemplate, pathsOf, type Template } from './template.ts';
import type { Place } from './yaml.ts';

/** Notes that something at a place in a profile is wrong. */
export type Report = (at: Place, reason: string) => void;

/** Takes the text of a template and its place; gives the template, with its faults reported. */
export function templateAt(text: string, at: Place, report: Report): Template {
  try {
    const template = parseTemplate(text);
    for (const path of pathsOf(template)) {
      const kind = FIELDS.get(path)?.kind;
      if (!kind) report(at, `${path} is no field of a build`);
      else if (kind === 'map' || kind === 'list') report(at, `${path} is not text`);
    }
    return template;
  } catch (error) {
    report(at, (error as Error).message);
    return [];
  }
}
