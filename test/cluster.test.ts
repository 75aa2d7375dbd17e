import { readFileSync, writeFileSync } from 'node:fs';
import { answersOk } from '@mayfly/infra/readiness';
import type { System } from '@mayfly/infra/system';
import { jetstreamManager } from '@nats-io/jetstream';
import { expect, test } from 'vitest';
import { eventually } from './ci.ts';
import { natsCluster } from './nats-cluster.ts';

const LEFT_OUT = 'nats-3';

/** Has the third server start, the first time, in a cluster of its own: the other two find together without it. */
function leaveOneOut({ servers, ports }: System): void {
  const { command, isReady } = servers;
  let starts = 0;
  servers.command = (name) => {
    const asked = command(name);
    if (name !== LEFT_OUT || starts++ > 0) return asked;
    const isFile = (arg: string) => arg.endsWith(`${LEFT_OUT}.conf`);
    const file = asked.args.find(isFile) as string;
    const alone = file.replace('.conf', '-alone.conf');
    const text = readFileSync(file, 'utf8').replace(/(cluster \{[^}]*?name: )\S+/, '$1elsewhere');
    writeFileSync(alone, text, { mode: 0o600 });
    return { ...asked, args: asked.args.map((arg) => (isFile(arg) ? alone : arg)) };
  };
  // Of itself, without a leader of JetStream, it would say that it is not well.
  servers.isReady = (name) =>
    name === LEFT_OUT && starts === 1
      ? answersOk(`http://127.0.0.1:${ports[`${name}-monitor`]}/healthz?js-enabled-only=true`)
      : isReady(name);
}

test('a NATS server that the others left out is started again with them, and then holds every stream', async () => {
  await using cluster = await natsCluster(leaveOneOut);

  expect(cluster.said.filter((line) => line.includes('started again'))).toHaveLength(1);
  const jsm = await jetstreamManager(await cluster.connectAs('bootstrap', 0), { checkAPI: false });
  const holders = await eventually(async () => {
    const { cluster: placed } = await jsm.streams.info('BUILDS');
    return (
      placed?.leader !== undefined && [placed.leader, ...(placed.replicas ?? []).map(({ name }) => name)]
    );
  }, 'leader of BUILDS');
  expect(holders.toSorted()).toEqual([...cluster.names]);
}, 150_000);
