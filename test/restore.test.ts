import { cpSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { issuerUrl } from '@mayfly/contracts/issuer-url';
import { decodeProtectedHeader } from 'jose';
import { expect, onTestFinished, test } from 'vitest';
import { connectCi, eventually } from './ci.ts';
import { mayfly } from './mayfly.ts';
import { isActive, knownActive } from './relying-party.ts';
import { testSystem } from './system.ts';

/** What docs/operations.md says is to be kept of a NATS server's files; everything else is made anew. */
const KEPT = [join('jetstream', 'KEYS'), join('jetstream', 'MAYFLY', 'streams', 'KV_names')];

test('from copies of the keyrings and the names a deployment goes on with its keys, its names and no old build', async () => {
  await using system = await testSystem({ replicas: 1 });
  const copy = mkdtempSync(join(tmpdir(), 'mayfly-copy-'));
  onTestFinished(() => rmSync(copy, { recursive: true }));
  const data = join(dirname(dirname(system.secretFile('nats-operator'))), 'data');
  const kids = async () => {
    const answer = await fetch(`${issuerUrl(system.urlOf('jwks-publisher'), 'acme')}/jwks`);
    return ((await answer.json()) as { keys: { kid: string }[] }).keys.map(({ kid }) => kid);
  };
  const before = await kids();
  const old = await (async () => {
    await using ci = await connectCi(system);
    await ci.start({ id: 'before' });
    return (await ci.heard('before')).data.id_tokens['API_TOKEN'] as string;
  })();
  expect(await knownActive(system, old)).toBe(true);

  const stopAll = async () => {
    for (const name of system.names.toReversed()) await system.stop(name);
  };
  const startAll = async () => {
    await Promise.all(['nats', 'redis'].map((name) => system.start(name)));
    await system.bootstrap();
    await Promise.all(system.names.slice(2).map((name) => system.start(name)));
  };
  await stopAll();
  for (const kept of KEPT) cpSync(join(data, 'nats', kept), join(copy, kept), { recursive: true });
  await startAll();
  const stolen = before.find((kid) => kid !== decodeProtectedHeader(old).kid) as string;
  expect((await mayfly(system, 'keys', 'revoke', stolen, '--reason', 'test')).code).toBe(0);
  await eventually(async () => !(await kids()).includes(stolen), 'key set without the revoked key');
  await stopAll();
  for (const server of ['nats', 'redis'])
    for (const entry of readdirSync(join(data, server)))
      rmSync(join(data, server, entry), { recursive: true });
  for (const kept of KEPT) cpSync(join(copy, kept), join(data, 'nats', kept), { recursive: true });
  rmSync(join(data, '..', 'cache'), { recursive: true, force: true });
  await startAll();

  expect(new Set(await kids())).toEqual(new Set(before));
  expect((await mayfly(system, 'keys', 'revoke', stolen, '--reason', 'again')).code).toBe(0);
  await eventually(
    async () => !(await kids()).includes(stolen),
    'key set without the key that was revoked again',
  );
  await eventually(async () => (await isActive(system, old)) === false, 'that nobody knows the old build');
  await using ci = await connectCi(system);
  await ci.start({ id: 'thief', build: { repository: { id: '666', name: 'octo/hello' } } });
  expect((await ci.heard('thief')).data).toMatchObject({
    id_tokens: {},
    id_token_errors: { API_TOKEN: { error: 'access_denied' } },
  });
  await ci.start({ id: 'after' });
  const token = (await ci.heard('after')).data.id_tokens['API_TOKEN'] as string;
  expect(decodeProtectedHeader(token).kid).toBe(decodeProtectedHeader(old).kid);
  expect(await knownActive(system, token)).toBe(true);
});
