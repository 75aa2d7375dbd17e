import { textOf, textsOf, type VarSource, wrong } from './var-source.ts';

/** Whose pipeline is interpolated, as far as it is known. */
export type Whose = { team: string | undefined; pipeline: string | undefined };

const DEFAULT_PREFIX = '/concourse';
const DEFAULT_TEMPLATES = ['/{{.Team}}/{{.Pipeline}}/{{.Secret}}', '/{{.Team}}/{{.Secret}}'];
const NAME = /\{\{\s*\.(\w+)\s*\}\}/g;

/**
 * Gives the paths at which a secret is looked for, first to last: each template, then the shared path, then the root,
 * all of them under the prefix. What needs a team or a pipeline that is not known is left out.
 */
export function lookupPaths(source: VarSource, secret: string, whose: Whose): string[] {
  const prefix = textOf(source, 'path_prefix') ?? DEFAULT_PREFIX;
  const shared = textOf(source, 'shared_path');
  const templates = [
    ...(textsOf(source, 'lookup_templates') ?? DEFAULT_TEMPLATES),
    ...(shared === undefined ? [] : [sharedTemplate(shared)]),
    '/{{.Secret}}',
  ];
  const values = { Team: whose.team, Pipeline: whose.pipeline, Secret: secret };
  const paths = templates.flatMap((template) => filled(template, values, source.name));
  return [...new Set(paths.map((path) => `${prefix}/${path}`.replace(/\/+/g, '/')))];
}

/** Concourse takes the shared path as a folder; the RFC of the JWT login writes it as a template. */
function sharedTemplate(text: string): string {
  return text.includes('{{') ? text : `${text}/{{.Secret}}`;
}

function filled(template: string, values: Record<string, string | undefined>, source: string): string[] {
  const names = [...template.matchAll(NAME)].map(([, name]) => name as string);
  const unknown = names.find((name) => !Object.hasOwn(values, name));
  if (unknown !== undefined || /\{\{|\}\}/.test(template.replace(NAME, '')))
    throw wrong(
      `the template ${template} of the var_source ${source} may name .Team, .Pipeline and .Secret only`,
    );
  if (!names.includes('Secret'))
    throw wrong(`the template ${template} of the var_source ${source} names no .Secret`);
  if (names.some((name) => values[name] === undefined)) return [];
  return [template.replace(NAME, (_, name: string) => values[name] as string)];
}
