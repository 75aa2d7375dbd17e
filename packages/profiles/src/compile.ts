import { isAudience } from './audience.ts';
import { compileClaims } from './compile-claims.ts';
import { reportFork } from './compile-fork.ts';
import { reportReply } from './compile-reply.ts';
import { compileSubject } from './compile-subject.ts';
import { FIELDS } from './fields.ts';
import type { Profile } from './profile.ts';
import { checkProfileFile, type ProfileFile } from './profile-file.ts';
import { type Report, templateAt } from './report.ts';
import { pathsOf, type Template } from './template.ts';
import { type Place, readYaml } from './yaml.ts';

/** What is wrong with a profile: every fault, each as `file:line: reason`. */
export class ProfileError extends Error {
  override readonly name = 'ProfileError';
  readonly faults: readonly string[];

  constructor(faults: readonly string[]) {
    super(faults.join('\n'));
    this.faults = faults;
  }
}

/**
 * Takes the text of a profile and the name of its file; gives the profile. Throws a ProfileError that names every
 * fault with its line; a profile that cannot work is refused.
 */
export function compileProfile(text: string, fileName: string): Profile {
  const { value, faults, lineOf } = readYaml(text);
  const found = faults.map(({ line, reason }) => `${fileName}:${line}: ${reason}`);
  const report: Report = (at, reason) => {
    const where = `${fileName}:${lineOf(at)}: ${at.length > 0 ? `${at.join('.')}: ` : ''}${reason}`;
    if (!found.includes(where)) found.push(where);
  };
  if (found.length > 0) throw new ProfileError(found);

  for (const fault of checkProfileFile.faults(value)) report(placeOf(fault.at), fault.message);
  if (!checkProfileFile.is(value)) throw new ProfileError(found);
  const profile = compile(value, report);
  if (found.length > 0) throw new ProfileError(found);
  return Object.freeze(profile);
}

function compile(file: ProfileFile, report: Report): Profile {
  const claims = compileClaims(file.claims, 'claims', report);
  const optionalClaims = compileClaims(file.optional_claims ?? {}, 'optional_claims', report);
  checkNames(file, report);
  reportFork(file.fork_claim, claims, report);
  reportReply(file, report);
  const { request_url = [], request_token = [], token = [] } = file.variables;
  return {
    name: file.name,
    subject: compileSubject(file.subject, report),
    audience: compileAudience(file.audience, report),
    ...(file.not_before_seconds !== undefined && { notBeforeSeconds: file.not_before_seconds }),
    claims,
    optionalClaims,
    sessionTags: file.session_tags ?? false,
    ...(file.fork_claim !== undefined && { forkClaim: file.fork_claim }),
    variables: { requestUrl: request_url, requestToken: request_token, token },
    reply: file.reply,
  };
}

function checkNames({ claims, optional_claims = {} }: ProfileFile, report: Report): void {
  for (const name of Object.keys(optional_claims)) {
    if (Object.hasOwn(claims, name)) report(['optional_claims', name], 'is among the claims already');
  }
  const names = [...Object.keys(claims), ...Object.keys(optional_claims)];
  for (const wide of names.filter((name) => name.endsWith('*'))) {
    const hit = names.find((name) => name !== wide && name.startsWith(wide.slice(0, -1)));
    const section = Object.hasOwn(claims, wide) ? 'claims' : 'optional_claims';
    if (hit !== undefined) report([section, wide], `could make ${hit}, which is a claim of its own`);
  }
}

function compileAudience(file: ProfileFile['audience'], report: Report): Profile['audience'] {
  const { form, several = false } = file;
  const fallback = defaultAudience(file.default, report);
  return { form, several, ...(fallback && { default: fallback }) };
}

function defaultAudience(text: string | undefined, report: Report): Template | undefined {
  if (text === undefined) return undefined;
  const template = templateAt(text, ['audience', 'default'], report);
  for (const path of pathsOf(template)) {
    if (FIELDS.get(path)?.trust === 'user-controlled')
      report(['audience', 'default'], `${path} is user-controlled and cannot be part of an audience`);
  }
  const fixed = template.flat().flatMap((piece) => ('text' in piece ? [piece.text] : []));
  if (fixed.length > 0 && !isAudience(fixed.join('')))
    report(['audience', 'default'], 'is no audience: 1 to 255 characters without spaces');
  return template;
}

function placeOf(pointer: string): Place {
  const parts = pointer.split('/').slice(1);
  return parts.map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'));
}
