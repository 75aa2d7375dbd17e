import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { findProfiles, PROFILES_DIR, readProfile, SHIPPED_PROFILES } from './read.ts';

let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'profiles-'));
});
afterAll(() => rm(dir, { recursive: true }));

test.each(SHIPPED_PROFILES)('%s ships', async (name) => {
  expect((await readProfile(PROFILES_DIR, name)).name).toBe(name);
});

test('a profile is read from another directory, and its faults name the file there', async () => {
  await writeFile(join(dir, 'mine.yaml'), 'name: mine\n');

  await expect(readProfile(dir, 'mine')).rejects.toThrow(
    `${join(dir, 'mine.yaml')}:1: must have required properties`,
  );
});

test('a file that is not there, or holds a profile of another name, is refused', async () => {
  await writeFile(join(dir, 'other.yaml'), await readFile(join(PROFILES_DIR, 'mayfly.yaml'), 'utf8'));

  await expect(readProfile(dir, 'absent')).rejects.toThrow(/absent.yaml: cannot be read/);
  await expect(readProfile(dir, 'other')).rejects.toThrow(/must be other/);
});

test('a name cannot lead out of the directory', async () => {
  await expect(readProfile(join(PROFILES_DIR, 'x'), '../mayfly')).rejects.toThrow(/is no name of a profile/);
});

test('the profiles that a policy names are read at once, and those that there are not are left out', () => {
  const policy = { sources: { a: { audiences: ['x'] }, b: { audiences: ['x'], profile: 'jenkins' } } };

  expect([...findProfiles(undefined, policy).profiles.keys()]).toEqual(['mayfly']);
});

test('a profile that the operator has is taken before the one that ships, and those that ship need no copy', async () => {
  const text = await readFile(join(PROFILES_DIR, 'vela.yaml'), 'utf8');
  await writeFile(join(dir, 'vela.yaml'), text.replace('reply: [token]', 'reply: [ours]'));

  const sources = { a: { profile: 'vela' }, b: { profile: 'github' } };
  const { profiles, faults } = findProfiles(dir, { sources });

  expect(faults).toEqual([]);
  expect([...profiles.values()].map(({ reply }) => reply)).toEqual([['ours'], ['value']]);
});

test('a folder that is not there is refused', () => {
  expect(findProfiles(join(dir, 'none'), { sources: {} }).faults).toEqual([
    expect.stringMatching(/none is no folder/),
  ]);
});

test('every fault of every profile that a policy names is told, and the others are read', async () => {
  for (const name of ['one', 'two']) await writeFile(join(dir, `${name}.yaml`), `name: ${name}\n`);
  await writeFile(join(dir, 'good.yaml'), await renamed('good'));
  const sources = { a: { profile: 'one' }, b: { profile: 'two' }, c: { profile: 'good' } };

  const { profiles, faulty, faults } = findProfiles(dir, { sources });

  expect([...profiles.keys()]).toEqual(['good']);
  expect([...faulty]).toEqual(['one', 'two']);
  expect(faults.join('\n')).toMatch(/one.yaml:1: .*two.yaml:1: /s);
});

async function renamed(name: string): Promise<string> {
  const text = await readFile(join(PROFILES_DIR, 'mayfly.yaml'), 'utf8');
  return text.replace(/^name: mayfly$/m, `name: ${name}`);
}
