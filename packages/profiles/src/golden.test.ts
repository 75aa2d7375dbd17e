import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Build } from '@mayfly/contracts/build';
import { checker } from '@mayfly/contracts/check';
import { describe, expect, test } from 'vitest';
import { claimNames, isClaimName } from './claims.ts';
import { given, goldenNames, goldensOf, refusals, runnerOf } from './golden.ts';
import { PROFILES_DIR, readProfile, SHIPPED_PROFILES } from './read.ts';

const checkBuild = checker(Build);
const systems = fileURLToPath(new URL('../../../../shared/reference/systems.md', import.meta.url));
const isThere = existsSync(systems);

/** How long a token with these claims is at most: with `status`, the header, a dot each and an RS256 signature. */
function tokenBytes(claims: Record<string, unknown>): number {
  const uri = `${String(claims['iss'])}/status-lists/${'9'.repeat(16)}-${'9'.repeat(12)}`;
  const all = { ...claims, status: { status_list: { idx: 65_535, uri } } };
  const header = { alg: 'RS256', kid: 'k'.repeat(43), typ: 'JWT' };
  const parts = [header, all].map((part) => Buffer.from(JSON.stringify(part)).toString('base64url').length);
  return parts.reduce((sum, length) => sum + length + 1, Math.ceil((256 * 4) / 3));
}

describe.each(goldenNames())('a token of %s is the one that its system would issue', (name) => {
  test.each([...goldensOf(name).tokens])('%s', async (_, { from, build, ask, claims }) => {
    const profile = await readProfile(PROFILES_DIR, name);

    const issued = given(profile, build, ask);

    expect(checkBuild.faults(build)).toEqual([]);
    expect(issued).toEqual(claims);
    expect(from.length).toBeGreaterThan(20);
    expect(tokenBytes(issued as Record<string, unknown>)).toBeLessThan(4096);
    expect(JSON.stringify(issued)).not.toContain('null');
    const names = claimNames(profile);
    expect(Object.keys(issued as object).filter((claim) => !isClaimName(names, claim))).toEqual([]);
  });
});

test.each(goldenNames())('a build that lacks a fact that %s needs is refused by its name', async (name) => {
  const profile = await readProfile(PROFILES_DIR, name);
  const { refused } = goldensOf(name);

  expect(given(profile, refused.build, refused.ask)).toMatchObject({ iat: refused.ask.now });
  expect(refusals(profile, refused)).toEqual(refused.refused.map(({ error }) => error));
});

test.each(goldenNames())(
  'a runner of %s finds variables, replies and audiences as it is used to',
  async (name) => {
    const profile = await readProfile(PROFILES_DIR, name);
    const { runner } = goldensOf(name);

    expect(runnerOf(profile, runner.build)).toEqual(runner.runner);
  },
);

test('every profile that ships has goldens', () => {
  expect(goldenNames()).toEqual([...SHIPPED_PROFILES]);
});

const REFERENCE = /^§(\d(?:\.\d)?): (.{12,})$/u;

test.each(goldenNames())('each golden of %s has the line of the reference that it is taken from', (name) => {
  const { tokens, refused, runner } = goldensOf(name);
  const unquoted = [...tokens.values(), refused, runner]
    .map(({ reference }) => reference)
    .filter((reference) => {
      const [, section = '', line = ''] = REFERENCE.exec(reference) ?? [];
      return line === '' || (isThere && !sectionOf(section).includes(line));
    });

  expect(unquoted).toEqual([]);
});

/** The text of one section of the reference, where the reference is beside the project. */
function sectionOf(number: string): string {
  const sections = readFileSync(systems, 'utf8').split(/^(?=#{2,3} \d)/m);
  return (
    sections.find(
      (section) => section.startsWith(`## ${number}. `) || section.startsWith(`### ${number} `),
    ) ?? ''
  );
}
