import { randomUUID } from 'node:crypto';
import { EVENT_NAMES } from '@mayfly/contracts/bus';
import {
  type BuildFinished,
  type BuildStarted,
  checkTokenGrant,
  type TokenGrant,
} from '@mayfly/contracts/events';
import { issuerUrl } from '@mayfly/contracts/issuer-url';
import { jetstream } from '@nats-io/jetstream';
import { connect, type NatsConnection } from '@nats-io/transport-node';
import { createRemoteJWKSet, decodeProtectedHeader, jwtVerify } from 'jose';
import {
  allowInsecureRequests,
  ClientSecretBasic,
  type Configuration,
  discovery,
  tokenIntrospection,
} from 'openid-client';
import type { CiCredentials } from './system.ts';

/** What a CI system and a relying party have been given: nothing else is used. */
export type Given = {
  source: string;
  baseUrl: string;
  audience: string;
  ci: CiCredentials;
  relyingParty: { name: string; secret: string };
};

type Say = (line: string) => void;

const DEADLINE_MS = 10_000;

/**
 * Runs one build through a deployment and tells it, a line a step with the milliseconds that it took. Throws what went
 * wrong in the first step that failed, and the signal's reason as soon as it is aborted.
 */
export async function demonstrate(given: Given, say: Say, signal: AbortSignal): Promise<void> {
  const { source, baseUrl, audience, ci } = given;
  const { name, secret } = given.relyingParty;
  const step = stepper(say, signal);
  const nats = await connect({ ...ci, timeout: DEADLINE_MS });
  try {
    const issuer = issuerUrl(baseUrl, source);
    const id = `demo-${randomUUID()}`;
    const reply = randomUUID();
    const heard = hearGrant(nats, source, reply);
    // Where an earlier step fails, nobody waits for it.
    heard.catch(() => undefined);
    await step('the CI publishes build.started', () => publishStarted(nats, { source, id, reply, audience }));
    const grant = await step('its tokens arrive at the CI', () => heard);
    const token = grant.data.id_tokens['API_TOKEN'] ?? fail(JSON.stringify(grant.data.id_token_errors));

    const client = await step('a relying party, given only the issuer URL, finds its documents', () =>
      discovery(new URL(issuer), name, undefined, ClientSecretBasic(secret), {
        execute: [allowInsecureRequests],
      }),
    );
    await step('it verifies the token', () => verify(token, client, issuer, audience));
    await step('introspection says active', () => expectActive(client, token, true));
    await step('the runner gets one more token', () => requestToken(grant, audience, 200));
    await step('the CI publishes build.finished', () => publishFinished(nats, source, id));
    await step('introspection says inactive', () => expectActive(client, token, false));
    await step('the request token buys nothing more', () => requestToken(grant, audience, 401));
  } finally {
    await nats.close();
  }
}

function stepper(say: Say, signal: AbortSignal) {
  const aborted = new Promise<never>((_, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
  aborted.catch(() => undefined);
  return async <T>(what: string, act: () => Promise<T>): Promise<T> => {
    signal.throwIfAborted();
    const started = performance.now();
    try {
      const result = await Promise.race([act(), aborted]);
      say(`  ✓ ${what} ${`(${(performance.now() - started).toFixed(1)} ms)`}`);
      return result;
    } catch (error) {
      if (!signal.aborted) say(`  ✗ ${what}: ${(error as Error).message}`);
      throw error;
    }
  };
}

async function hearGrant(nats: NatsConnection, source: string, reply: string): Promise<TokenGrant> {
  const subscription = nats.subscribe(EVENT_NAMES.tokens(source, reply), { max: 1, timeout: DEADLINE_MS });
  for await (const message of subscription) return checkTokenGrant.parse(message.json());
  return fail('no grant came');
}

async function publishStarted(
  nats: NatsConnection,
  { source, id, reply, audience }: { source: string; id: string; reply: string; audience: string },
): Promise<void> {
  const event: BuildStarted = {
    ...envelope(source),
    type: 'dev.mayfly.ci.build.started',
    data: {
      build: {
        id,
        number: 1,
        organization: { id: '1', name: 'octo' },
        repository: {
          id: '456789',
          name: 'octo/hello',
          url: 'https://git.example.com/octo/hello',
          visibility: 'private',
        },
        pipeline: { id: '7', name: 'deploy' },
        ref: 'refs/heads/main',
        ref_type: 'branch',
        sha: '9fceb02d0ae598e95dc970b74767f19372d61af8',
        event: 'push',
        actor: { id: '42', name: 'octocat' },
      },
      id_tokens: { API_TOKEN: { aud: audience } },
      reply,
    },
  };
  await publish(nats, EVENT_NAMES.started(source), event);
}

async function publishFinished(nats: NatsConnection, source: string, id: string): Promise<void> {
  const event: BuildFinished = {
    ...envelope(source),
    type: 'dev.mayfly.ci.build.finished',
    data: { id, outcome: 'success' },
  };
  await publish(nats, EVENT_NAMES.finished(source), event);
}

function envelope(source: string) {
  return { specversion: '1.0', id: randomUUID(), source, time: new Date().toISOString() } as const;
}

async function publish(nats: NatsConnection, eventName: string, event: { id: string }): Promise<void> {
  const { duplicate } = await jetstream(nats).publish(eventName, JSON.stringify(event), { msgID: event.id });
  if (duplicate) fail('the event was taken for a duplicate');
}

async function verify(token: string, client: Configuration, issuer: string, audience: string): Promise<void> {
  const { jwks_uri } = client.serverMetadata();
  const { alg } = decodeProtectedHeader(token);
  const keys = createRemoteJWKSet(new URL(jwks_uri ?? fail('the metadata names no key set')));
  await jwtVerify(token, keys, { issuer, audience, algorithms: [alg ?? 'RS256'], typ: 'JWT' });
}

async function expectActive(client: Configuration, token: string, expected: boolean): Promise<void> {
  const deadline = Date.now() + DEADLINE_MS;
  for (;;) {
    const active = await tokenIntrospection(client, token).then((told) => told.active, unlessUnknown);
    if (active === expected) return;
    if (Date.now() > deadline) fail(`introspection still says active: ${active ?? 'that it cannot know'}`);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}

/** Introspection answers 503 while it is not known which builds run; anything else is a fault. */
function unlessUnknown(error: Error): undefined {
  const { status } = error as { status?: number };
  if (status !== 503) throw error;
}

async function requestToken({ data }: TokenGrant, audience: string, expected: number): Promise<void> {
  const url = `${data.id_token_request_url}&audience=${encodeURIComponent(audience)}`;
  const headers = { authorization: `Bearer ${data.id_token_request_token}` };
  const deadline = Date.now() + DEADLINE_MS;
  for (;;) {
    const response = await fetch(url, { headers });
    await response.arrayBuffer();
    if (response.status === expected) return;
    if (response.status !== 503 || Date.now() > deadline)
      fail(`the answer was ${response.status} instead of ${expected}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

function fail(message: string): never {
  throw new Error(message);
}
