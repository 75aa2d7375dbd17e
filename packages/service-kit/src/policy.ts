import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import type { Fault } from '@mayfly/contracts/check';
import { checkPolicy, type Policy } from '@mayfly/contracts/policy';
import { LineCounter, type ParsedNode, parseDocument } from 'yaml';
import { plainValue } from './aliases.ts';

/** Takes the path of mayfly.yaml; gives the policy. Throws a TypeError that names every fault with its line. */
export function readPolicy(file: string): Policy {
  return parsePolicy(readFile(file), file);
}

function readFile(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    const { code = 'error' } = error as NodeJS.ErrnoException;
    throw new TypeError(`settings: MAYFLY_CONFIG cannot be read (${code})`, { cause: error });
  }
}

/** Takes the path of mayfly.yaml and what it says; gives the folder of the operator's own profiles, if it names one. */
export function ownProfiles(file: string, { profiles }: Policy): string | undefined {
  return profiles === undefined ? undefined : resolve(dirname(file), profiles);
}

/** Takes the text of mayfly.yaml and its name; gives the policy. Throws a TypeError that names every fault with its line. */
export function parsePolicy(text: string, file: string): Policy {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, uniqueKeys: true });
  const at = (offset: number, reason: string) => `${file}:${lines.linePos(offset).line}: ${reason}`;
  const broken = document.errors.map(({ pos, message }) => at(pos[0], message));
  if (broken.length > 0) throw new TypeError(broken.join('; '));
  const { value, faults: aliases } = plainValue(document);
  if (aliases.length > 0)
    throw new TypeError(aliases.map(({ offset, reason }) => at(offset, reason)).join('; '));
  const faults = checkPolicy.faults(value);
  if (faults.length === 0 && checkPolicy.is(value)) return value;
  throw new TypeError(describe(faults, file, document.contents, lines));
}

/**
 * Takes the path of mayfly.yaml and what a service found in it that cannot work. Throws a TypeError that names every
 * fault with its line, if there is one.
 */
export function refuseFaults(file: string, faults: readonly Fault[]): void {
  if (faults.length === 0) return;
  const lines = new LineCounter();
  const { contents } = parseDocument(readFileSync(file, 'utf8'), { lineCounter: lines });
  throw new TypeError(describe(faults, file, contents, lines));
}

function describe(
  faults: readonly Fault[],
  file: string,
  contents: ParsedNode | null,
  lines: LineCounter,
): string {
  const named = faults.map(({ at, message }) => {
    const path = at
      .split('/')
      .slice(1)
      .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'));
    return `${file}:${lineOf(contents, path, lines)}: ${path.join('.') || 'the file'} ${message}`;
  });
  return named.join('; ');
}

function lineOf(contents: ParsedNode | null, path: string[], lines: LineCounter): number {
  let node: unknown = contents;
  let line = 1;
  for (const part of path) {
    const pairs = (
      node as { items?: { key?: { value?: unknown; range?: number[] }; value?: unknown }[] } | null
    )?.items;
    const pair = pairs?.find((item, index) => String(item.key?.value ?? index) === part);
    if (!pair) break;
    const range = pair.key?.range ?? (pair as { range?: number[] }).range;
    if (range?.[0] !== undefined) line = lines.linePos(range[0]).line;
    node = pair.key ? pair.value : pair;
  }
  return line;
}
