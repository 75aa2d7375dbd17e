import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Build } from '@mayfly/contracts/build';
import { checker } from '@mayfly/contracts/check';
import { describe, expect, test } from 'vitest';
import { type Ask, claimNames, idTokenClaims, isClaimName } from './claims.ts';
import { PROFILES_DIR, readProfile } from './read.ts';
import { admit } from './testing.ts';

const GOLDEN = fileURLToPath(new URL('../golden/', import.meta.url));
const checkBuild = checker(Build);

type Golden = { from: string; build: Build; ask: Ask; claims: Record<string, unknown> };

function goldenOf(name: string): [string, Golden][] {
  return readdirSync(`${GOLDEN}${name}`).map((file) => [
    file.replace('.json', ''),
    JSON.parse(readFileSync(`${GOLDEN}${name}/${file}`, 'utf8')) as Golden,
  ]);
}

/** How long a token with these claims is at most: with `status`, the header, a dot each and an RS256 signature. */
function tokenBytes(claims: Record<string, unknown>): number {
  const uri = `${String(claims['iss'])}/status-lists/${'9'.repeat(16)}-${'9'.repeat(12)}`;
  const all = { ...claims, status: { status_list: { idx: 65_535, uri } } };
  const header = { alg: 'RS256', kid: 'k'.repeat(43), typ: 'JWT' };
  const parts = [header, all].map((part) => Buffer.from(JSON.stringify(part)).toString('base64url').length);
  return parts.reduce((sum, length) => sum + length + 1, Math.ceil((256 * 4) / 3));
}

describe.each(readdirSync(GOLDEN))('a token of %s is the one that its system would issue', (name) => {
  test.each(goldenOf(name))('%s', async (_, { from, build, ask, claims }) => {
    const profile = await readProfile(PROFILES_DIR, name);

    const issued = idTokenClaims(profile, admit(build), ask);

    expect(checkBuild.faults(build)).toEqual([]);
    expect(issued).toEqual(claims);
    expect(from.length).toBeGreaterThan(20);
    expect(tokenBytes(issued)).toBeLessThan(4096);
    expect(JSON.stringify(issued)).not.toContain('null');
    const names = claimNames(profile);
    expect(Object.keys(issued).filter((claim) => !isClaimName(names, claim))).toEqual([]);
  });
});

test('every profile that ships has golden tokens', () => {
  const profiles = readdirSync(PROFILES_DIR).map((file) => file.replace('.yaml', ''));

  expect(readdirSync(GOLDEN).sort()).toEqual(profiles.sort());
});
