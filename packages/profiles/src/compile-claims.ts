import { FIELDS, type Field } from './fields.ts';
import type { ClaimRule } from './profile.ts';
import type { ClaimEntry, ClaimType } from './profile-file.ts';
import { type Report, templateAt } from './report.ts';
import { RESERVED_CLAIMS } from './standard-claims.ts';
import type { Place } from './yaml.ts';

type Entry = Exclude<ClaimEntry, string>;

/** Which types a fact can take, by its kind; the first is the one that it has if the profile does not say. */
const TYPES: Record<Field['kind'], readonly ClaimType[]> = {
  text: ['string', 'integer'],
  whole: ['string', 'integer'],
  flag: ['string', 'boolean'],
  map: ['object'],
  list: ['list'],
};

/** Takes one section of claims; gives their rules, with every fault reported. */
export function compileClaims(
  entries: Record<string, ClaimEntry>,
  section: string,
  report: Report,
): ClaimRule[] {
  return Object.entries(entries).map(([name, entry]) => {
    const at = [section, name];
    reportName(name, at, report);
    return compileClaim(name, entry, at, report);
  });
}

function reportName(name: string, at: Place, report: Report): void {
  if (RESERVED_CLAIMS.has(name)) report(at, 'is a reserved claim and cannot be redefined');
  if (/\*./.test(name)) report(at, 'may have a * at its end only');
  const prefix = name.slice(0, -1);
  if (name.endsWith('*') && [...RESERVED_CLAIMS].some((other) => other.startsWith(prefix)))
    report(at, 'could make a reserved claim');
}

function reportMany({ from, absent, required }: Entry, at: Place, report: Report): void {
  if (typeof from !== 'string' || absent !== undefined || required)
    report(at, 'takes each member of one map: it has a from, and neither absent nor required');
}

function compileClaim(name: string, given: ClaimEntry, at: Place, report: Report): ClaimRule {
  const entry: Entry = typeof given === 'string' ? { from: given } : given;
  if (name.endsWith('*')) reportMany(entry, at, report);
  const { source, types } = compileSource(
    name,
    entry,
    typeof given === 'string' ? [at, at] : [at, [...at, 'from']],
    report,
  );
  const type = entry.type ?? types[0] ?? 'string';
  if (!types.includes(type)) report([...at, 'type'], `cannot be ${type}; may be ${types.join(' or ')}`);
  if (entry.absent !== undefined && entry.required)
    report([...at, 'absent'], 'is never used: the fact is required');
  if (entry.absent !== undefined && !hasType(entry.absent, type))
    report([...at, 'absent'], `is not of type ${type}`);
  return {
    name,
    source,
    type,
    required: entry.required ?? false,
    ...(entry.absent !== undefined && { absent: entry.absent }),
  };
}

function compileSource(
  name: string,
  entry: Entry,
  [at, fromAt]: [Place, Place],
  report: Report,
): { source: ClaimRule['source']; types: readonly ClaimType[] } {
  const { from, members, template, value } = entry;
  const given = [from, members, template, value].filter((one) => one !== undefined);
  if (given.length !== 1) report(at, 'must have one of from, members, template and value');
  if (template !== undefined) {
    const read = templateAt(template, [...at, 'template'], report);
    return { source: { kind: 'template', template: read }, types: ['string'] };
  }
  if (value !== undefined) return { source: { kind: 'value', value }, types: ['string'] };
  if (members !== undefined) {
    const list = Object.entries(members);
    for (const [member, path] of list) typesOf(path, false, [...at, 'members', member], report);
    return { source: { kind: 'members', members: list }, types: ['object'] };
  }
  const paths = typeof from === 'string' ? [from] : (from ?? []);
  const each = paths.map((path) => typesOf(path, name.endsWith('*'), fromAt, report));
  const types = (each[0] ?? []).filter((type) => each.every((others) => others.includes(type)));
  if (paths.length > 0 && types.length === 0 && each.every((one) => one.length > 0))
    report(at, 'takes facts of unlike kinds');
  return {
    source: { kind: 'facts', paths },
    types: types.length > 0 ? types : ['string', 'integer', 'boolean', 'object', 'list'],
  };
}

function typesOf(path: string, many: boolean, at: Place, report: Report): readonly ClaimType[] {
  const bare = path.replace(/\.\*$/, '');
  const kind = FIELDS.get(bare)?.kind;
  if (!kind) report(at, `${bare} is no field of a build`);
  else if (many !== path.endsWith('.*'))
    report(at, 'a name that ends in * takes each member of a map, written path.*');
  else if (many && kind !== 'map') report(at, `${bare} has no members`);
  else return many ? ['string'] : TYPES[kind];
  return [];
}

function hasType(value: unknown, type: ClaimType): boolean {
  if (type === 'integer') return Number.isSafeInteger(value);
  if (type === 'list') return Array.isArray(value) && !holdsNull(value);
  if (type === 'object') return typeof value === 'object' && !Array.isArray(value) && !holdsNull(value);
  return typeof value === type;
}

function holdsNull(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return value === null;
  return Object.values(value).some(holdsNull);
}
