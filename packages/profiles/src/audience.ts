import type { Build } from '@mayfly/contracts/build';
import { ServiceError } from '@mayfly/contracts/errors';
import type { SourcePolicy } from '@mayfly/contracts/policy';
import { isFork } from './fork.ts';

const LONGEST_AUDIENCE = 255;
const VARIABLE = /\$\$|\$\{([A-Za-z_][A-Za-z0-9_]{0,127})\}|\$([A-Za-z_][A-Za-z0-9_]{0,127})/g;

/** Takes a pattern, whole or with a `*` at its end, and text; says whether the text is of it. */
export function matches(pattern: string, text: string): boolean {
  return pattern.endsWith('*') ? text.startsWith(pattern.slice(0, -1)) : text === pattern;
}

/**
 * Takes a source's policy and a build; gives the audiences that the build may ask for, as policy writes them. What is
 * for one repository only, a fork of it does not get.
 */
export function audiencesFor(policy: SourcePolicy, build: Build): string[] {
  const { id, name } = build.repository ?? {};
  const own = Object.entries(policy.repository_audiences ?? {}).filter(([pattern]) => {
    if (isFork(build)) return false;
    if (pattern.startsWith('id:')) return id !== undefined && pattern === `id:${id}`;
    return name !== undefined && matches(pattern, name);
  });
  return [...new Set([...policy.audiences, ...own.flatMap(([, audiences]) => audiences)])];
}

/** Says whether text can be an audience: 1 to 255 characters without spaces. */
export function isAudience(text: string): boolean {
  return /^[^\s\p{Cc}]+$/u.test(text) && text.length <= LONGEST_AUDIENCE && text.isWellFormed();
}

/** Takes text that was put together; gives it if it is an audience. Throws a ServiceError (`invalid_target`) if not. */
export function checkedAudience(text: string): string {
  if (!isAudience(text))
    throw new ServiceError('invalid_target', 'audience must be 1 to 255 characters without spaces');
  return text;
}

/** Takes a source's policy, a build and an audience, expanded; says whether the build may ask for it. */
export function allowedAudience(policy: SourcePolicy, build: Build, audience: string): boolean {
  return audiencesFor(policy, build).some((pattern) => matches(pattern, audience));
}

/**
 * Takes an audience as a build declares it; gives it with `$NAME` and `${NAME}` replaced from the build's variables,
 * `${environment}` by its environment and `$$` by `$`, once. Throws a ServiceError (`invalid_target`) that names what
 * the build does not have, or for a result that is no audience.
 */
export function expandAudience(text: string, build: Build): string {
  const expanded = text.replace(VARIABLE, (whole, braced?: string, bare?: string) => {
    if (whole === '$$') return '$';
    const name = (braced ?? bare) as string;
    const value = braced === 'environment' ? build.environment?.name : variable(build, name);
    if (value === undefined)
      throw new ServiceError('invalid_target', `audience names ${shown(name)}, which the build lacks`);
    return value;
  });
  return checkedAudience(expanded);
}

/** What is long enough to be a token or a password stands in no message: messages are logged. */
const shown = (name: string) => (name.length <= 32 ? name : 'a variable');

function variable({ variables }: Build, name: string): string | undefined {
  return variables && Object.hasOwn(variables, name) ? variables[name] : undefined;
}
