import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { makeTrust } from './make-trust.ts';
import { TARGETS } from './targets.ts';
import { AUDIENCES, deployment, made, NOW, started } from './testing.ts';
import type { Target, TrustNames } from './trust.ts';

const textOf = async (name: string, names: TrustNames = {}, wish: { audience?: string } = {}) =>
  (await made(name, wish, names)).trust.texts.map(({ text }) => text).join('\n');

test('a source whose name is too short or taken has another name at Google Cloud and Azure', async () => {
  const called = async (target: string, source: string) => {
    const here = { ...(await deployment()), source };
    const wish = { audience: target === 'gcp' ? '//iam.googleapis.com/x' : (AUDIENCES[target] ?? '') };
    const event = { ...started(), source };
    const { trust } = makeTrust(TARGETS[target] as Target, here, event, wish, {}, NOW);
    return /create-oidc (\S+)|credential create --name (\S+)/.exec(
      trust.texts.map(({ text }) => text).join('\n'),
    );
  };

  expect((await called('gcp', 'ci'))?.[1]).toBe('mayfly-ci');
  expect((await called('gcp', 'gcp-builds'))?.[1]).toBe('mayfly-gcp-builds');
  expect((await called('gcp', 'concourse'))?.[1]).toBe('concourse');
  expect((await called('azure', 'ci'))?.[2]).toBe('mayfly-ci');
  expect((await called('azure', 'github'))?.[2]).toBe('github');
});

test.each<[string, TrustNames, RegExp]>([
  ['gcp', { provider: 'ci' }, /^ci is no name that Google Cloud takes .*: give another with --provider/],
  ['gcp', { provider: 'gcp-mine' }, /^gcp-mine is no name/],
  ['gcp', { pool: 'Pool' }, /^Pool is no name .* with --pool/],
  ['azure', { name: 'a' }, /^a is no name that Azure takes \(3 to 120/],
  ['azure', { name: '-abc' }, /^-abc is no name/],
  ['aws', { account: '42' }, /^42 is no account of AWS \(12 digits\): give another with --account/],
  ['aws', { role: 'a b' }, /^a b is no role of AWS/],
  ['vault', { mount: '/' }, /is no path of a login: give another with --mount/],
  ['vault', { mount: 'a//b' }, /is no path of a login/],
  ['vault', { policies: ',' }, /^, is no list of policies: give another with --policies/],
  ['aws', { role: '' }, /^--role is empty: give the name, or leave --role out/],
  ['vault', { role: ' ' }, /^--role is empty/],
])('%s refuses %j', async (target, names, expected) => {
  await expect(made(target, {}, names)).rejects.toThrow(expected);
});

test('where a login is mounted and what its policies are is read as people write it', async () => {
  const text = await textOf('vault', { mount: '/auth/jwt/', policies: 'a, b,', role: 'r' });

  expect(text).toMatch(/-path=jwt jwt\nvault write auth\/jwt\/config/);
  expect(text).toMatch(/vault write auth\/jwt\/role\/r @role\.json/);
  expect(parse(text.slice(0, text.indexOf('\n}') + 2))).toMatchObject({ token_policies: ['a', 'b'] });
  expect(await textOf('vault', { mount: 'ci/mayfly' })).toMatch(/vault write auth\/ci\/mayfly\/config/);
});
