import type { Keyring } from '@mayfly/key-manager/keyring';
import { activeKey } from '@mayfly/key-manager/keyring';
import { changeKeyring, keepKeyring, type Shared } from '@mayfly/key-manager/keyrings';
import { markPublished } from '@mayfly/key-manager/rotate';
import { keyringSeal } from '@mayfly/key-manager/seal';
import { keyStore } from '@mayfly/key-manager/store';
import { DAY_MS, fakeKeys, RULES, silent } from '@mayfly/key-manager/testing';
import { jetstreamManager } from '@nats-io/jetstream';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { eventually } from './ci.ts';
import { readKeySet } from './keys-requests.ts';
import { type Cluster, natsCluster } from './nats-cluster.ts';

const isFull = process.env['MAYFLY_TEST_FULL'] === '1';
const ROTATIONS = isFull ? 10_000 : 100;
const REPLICAS = 5;
/** A server is stopped for a while in the middle of so many rotations. */
const PAUSE_EVERY = isFull ? 1000 : 60;
const PAUSE_MS = 1500;

let cluster: Cluster;
beforeAll(async () => {
  cluster = await natsCluster();
}, 120_000);
afterAll(() => cluster[Symbol.asyncDispose]());

test('of replicas that rotate at the same moment one wins, each time, on three servers of which one stops now and then', async () => {
  let now = Date.now();
  const replicas = await Promise.all(
    Array.from({ length: REPLICAS }, (_, index) => startReplica(index, () => now)),
  );
  const jsm = await jetstreamManager(await cluster.connectAs('bootstrap-keys', 0), { checkAPI: false });
  const [first] = replicas as [Replica];
  await keepKeyring('acme', first.shared);
  let keyring = await first.rotate('');
  let doubleWins = 0;
  let unsure = 0;

  for (let round = 1; round <= ROTATIONS; round++) {
    now += DAY_MS * 2;
    const old = activeKey(keyring, 'ES256')?.kid as string;
    const standby = keyring.keys.find(({ alg, state }) => alg === 'ES256' && state === 'prepared')?.kid;
    const resumed = round % PAUSE_EVERY === 0 ? pauseServer(round) : undefined;
    for (const replica of replicas) replica.wins = 0;
    const results = await Promise.allSettled(replicas.map((replica) => replica.rotate(old)));
    const wins = replicas.reduce((sum, replica) => sum + replica.wins, 0);
    if (wins > 1) doubleWins++;
    if (results.some(({ status }) => status === 'rejected')) unsure++;
    await resumed;
    // Who was told nothing may have won: all ask again, and see what came of it.
    keyring = await first.rotateUntilDone(old);

    expect(activeKey(keyring, 'ES256')?.kid).toBe(standby);
    expect(new Set(keyring.keys.map(({ kid }) => kid)).size).toBe(keyring.keys.length);
    const areAllTold = results.every(({ status }) => status === 'fulfilled');
    if (resumed === undefined && areAllTold) expect(wins).toBe(1);
  }
  const { state } = await jsm.streams.info('KV_keyring');
  console.log(
    `${ROTATIONS} rotations contested by ${REPLICAS} replicas on 3 servers: ${doubleWins} double wins, ` +
      `${unsure} rounds with a replica that was told nothing`,
  );
  expect(doubleWins).toBe(0);
  // One to begin with, one that notes the first key set as published, and one a rotation.
  expect(state.last_seq).toBe(ROTATIONS + 2);
}, 1_800_000);

test('a server that is cut off from the others says no longer which keys there are, for one may have been revoked', async () => {
  const { shared } = await startReplica(0, Date.now);
  await keepKeyring('other', shared);
  const publisher = await cluster.connectAs('jwks-publisher', 0);
  const isSaid = () =>
    readKeySet(publisher, 'other', 1000).then(
      ({ keys }) => keys.length > 0,
      () => false,
    );
  expect(await isSaid()).toBe(true);
  const [, ...others] = cluster.names;

  for (const name of others) cluster.pause(name);
  try {
    // Who led the bucket goes on until it finds itself alone.
    // Of many questions none may be answered: one alone may have gone to a server that is stopped.
    const isSilent = async () => !(await Promise.all(Array.from({ length: 40 }, isSaid))).includes(true);
    await eventually(isSilent, 'silence', 40_000);
  } finally {
    for (const name of others) cluster.resume(name);
  }

  await eventually(isSaid, 'key set', 30_000);
}, 120_000);

type Replica = Awaited<ReturnType<typeof startReplica>>;

async function startReplica(index: number, now: () => number) {
  const store = await keyStore(await cluster.connectAs('key-manager', index));
  const makeKey = fakeKeys(`replica ${index}`);
  const replica = { wins: 0 };
  const shared: Shared = {
    ...{ seal: keyringSeal('0a'.repeat(32)), rules: () => RULES, log: silent, now },
    custody: { generate: async (alg) => makeKey(alg) },
    store: {
      ...store,
      async replace(...change) {
        const revision = await store.replace(...change);
        if (revision !== undefined) replica.wins++;
        return revision;
      },
    },
  };
  // All keys are taken as published at once: what is contested here is the rotation.
  const published = (keyring: Keyring) =>
    markPublished(keyring, new Set(keyring.keys.map(({ kid }) => kid)), now() - DAY_MS * 2);
  const rotate = (old: string) =>
    changeKeyring('acme', shared, (keyring) =>
      activeKey(keyring, 'ES256')?.kid === old
        ? { keyring: published(keyring), asked: ['ES256'] }
        : { keyring },
    );
  const rotateUntilDone = async (old: string) => {
    for (let tries = 1; ; tries++) {
      try {
        return await rotate(old);
      } catch (error) {
        if (tries === 20) throw error;
      }
    }
  };
  return Object.assign(replica, { shared, rotate, rotateUntilDone });
}

async function pauseServer(round: number): Promise<void> {
  const name = cluster.names[(round / PAUSE_EVERY) % 3] as string;
  cluster.pause(name);
  await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  cluster.resume(name);
}
