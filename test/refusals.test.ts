import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { openBus as openClientBus } from '@mayfly/client/bus';
import { freePort, processes } from '@mayfly/infra/processes';
import { findServers } from '@mayfly/infra/servers';
import { openBus } from '@mayfly/service-kit/bus';
import { createLogger } from '@mayfly/service-kit/logger';
import { expect, test } from 'vitest';
import { eventually } from './ci.ts';

const cache = fileURLToPath(new URL('../.cache/servers', import.meta.url));

test('a service or a CI whose secret NATS refuses for a while, twice and more, is back once it is right again', async () => {
  await using stack = new AsyncDisposableStack();
  const dir = mkdtempSync(join(tmpdir(), 'mayfly-refusals-'));
  stack.defer(() => rmSync(dir, { recursive: true, force: true }));
  const [{ nats }, port] = [await findServers({ cache, say: () => undefined }), await freePort()];
  const config = join(dir, 'nats.conf');
  const setPassword = (password: string) => {
    const users = `users: [{ user: issuer, password: "${password}" }]`;
    writeFileSync(config, `listen: "127.0.0.1:${port}"\nauthorization { ${users} }\n`);
  };
  setPassword('right');
  const supervised = processes(dir, () => undefined);
  stack.defer(async () => {
    await supervised.stopAll();
  });
  const server = supervised.spawn('nats', nats.command(config, dir, [port]));
  let refusals = 0;
  const write = (line: string) => {
    if (/authorization violation/i.test(line)) refusals += 1;
  };
  const settings = { NATS_URL: `nats://127.0.0.1:${port}`, NATS_USER: 'issuer', NATS_PASSWORD_FILE: 'right' };
  const bus = await openBus(settings, 'issuer', stack, createLogger('issuer', 'info', { write }));
  expect([bus.isConnected(), bus.changes()]).toEqual([true, 0]);
  const ci = await openClientBus({ servers: settings.NATS_URL, user: 'issuer', pass: 'right' });
  stack.defer(() => ci.close());

  setPassword('wrong');
  process.kill(server.pid, 'SIGHUP');
  await eventually(() => refusals >= 6, 'refusals');
  setPassword('right');
  process.kill(server.pid, 'SIGHUP');

  await eventually(() => bus.isConnected(), 'connection');
  // It was lost, and is there again.
  expect(bus.changes()).toBeGreaterThanOrEqual(2);
  expect(await bus.nats.rtt()).toBeGreaterThanOrEqual(0);
  const answer = () => ci.request('nobody', '', 1000).catch(({ message }: Error) => message);
  await eventually(async () => /no responders/i.test(await answer()), 'connection of the CI');
});
