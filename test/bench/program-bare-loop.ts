import { createPrivateKey, generateKeyPairSync, type KeyObject, randomUUID, sign } from 'node:crypto';
import { promisify } from 'node:util';
import { toP1363 } from '@mayfly/key-manager/to-p1363';
import { AckPolicy, type JsMsg, jetstream, jetstreamManager, StorageType } from '@nats-io/jetstream';
import { connect, nanos } from '@nats-io/transport-node';
import { Redis } from 'ioredis';
import { answerJobs } from './program.ts';

/** Where the bare loop finds its NATS (nobody else is on it) and the Redis of the system. */
export type BareLoopJob = { natsUrl: string; redisPort: number; username: string; password: string };

type Started = {
  data: { build: { id: string }; id_tokens: { API_TOKEN: { aud: string } }; reply: string };
};

const IN_HAND = 256;
const TTL_SECONDS = 300;
const signLater = promisify(sign);
const closing: (() => unknown)[] = [];

/**
 * The least that can make a token of an event: one process, one stream, one write to Redis, one signature, one publish;
 * nothing is checked. RS256 is signed on libuv's threads and ES256 at once, which is fastest for each.
 */
async function serve({ natsUrl, redisPort, username, password }: BareLoopJob): Promise<object> {
  const redis = new Redis(redisPort, '127.0.0.1', { username, password, enableAutoPipelining: true });
  const nats = await connect({ servers: [natsUrl] });
  closing.push(
    () => redis.disconnect(),
    () => nats.close(),
  );
  const jsm = await jetstreamManager(nats);
  const name = 'STARTS';
  await jsm.streams.add({
    name,
    subjects: ['ci.>'],
    storage: StorageType.File,
    duplicate_window: nanos(120_000),
  });
  await jsm.consumers.add(name, {
    durable_name: 'loop',
    ack_policy: AckPolicy.Explicit,
    max_ack_pending: 4096,
  });
  const consumer = await jetstream(nats).consumers.get(name, 'loop');
  const handle = async (message: JsMsg) => {
    const { data } = message.json<Started>();
    const { id } = data.build;
    await redis.set(`bare:${id}`, JSON.stringify(data), 'EX', TTL_SECONDS, 'NX');
    const token = await tokenOf(id, data.id_tokens.API_TOKEN.aud);
    nats.publish(
      `tokens.acme.${data.reply}`,
      JSON.stringify({ data: { id, id_tokens: { API_TOKEN: token } } }),
    );
    message.ack();
  };
  const messages = await consumer.consume({
    max_messages: IN_HAND,
    callback: (message) => void handle(message).catch(() => message.nak()),
  });
  closing.push(() => messages.stop());
  return {};
}

const key = (pair: { privateKey: KeyObject }) =>
  createPrivateKey(pair.privateKey.export({ format: 'pem', type: 'pkcs8' }));
const RSA = key(generateKeyPairSync('rsa', { modulusLength: 2048 }));
const EC = key(generateKeyPairSync('ec', { namedCurve: 'P-256' }));

async function tokenOf(id: string, audience: string): Promise<string> {
  const isRsa = audience === 'sts.amazonaws.com';
  const iat = Math.floor(Date.now() / 1000);
  const claims = {
    iss: 'https://ci.example',
    sub: id,
    aud: audience,
    jti: randomUUID(),
    iat,
    nbf: iat - 30,
    exp: iat + TTL_SECONDS,
  };
  const header = { alg: isRsa ? 'RS256' : 'ES256', kid: 'bare', typ: 'JWT' };
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const input = `${part(header)}.${part(claims)}`;
  const bytes = Buffer.from(input, 'latin1');
  const signature = isRsa ? await signLater('sha256', bytes, RSA) : toP1363(sign('sha256', bytes, EC));
  return `${input}.${signature.toString('base64url')}`;
}

await answerJobs<BareLoopJob>(serve, async () => {
  for (const close of closing.toReversed()) await close();
});
