import { type ClientRequest, get, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createHttp } from '@mayfly/service-kit/http';
import type { FastifyInstance } from 'fastify';
import type { Logger } from 'pino';
import { Registry } from 'prom-client';
import { afterEach, expect, test, vi } from 'vitest';
import type { Listener } from './feed.ts';
import type { EndedBuild } from './feed-log.ts';
import { feedPlaces } from './feed-places.ts';
import { feedRoute } from './http-feed.ts';
import { publisherMetrics } from './metrics.ts';
import { endedBuild, ISSUER } from './testing.ts';

const silent = { debug: () => undefined, error: () => undefined } as unknown as Logger;
const open: FastifyInstance[] = [];

afterEach(async () => {
  for (const http of open.splice(0)) {
    http.server.closeAllConnections();
    await http.close();
  }
});

/** A feed with these ends and so many places, behind a proxy that says who asks. */
async function served(ends: EndedBuild[], max: number) {
  const registry = new Registry();
  const listeners = new Set<Listener>();
  const http = createHttp(silent, { trustedProxies: '127.0.0.1' });
  open.push(http);
  const feed = {
    ...{ windowMs: 900_000, isProven: () => true, stored: () => undefined, tick: async () => undefined },
    listen(listener: Listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    endsOf: () => ({ first: 0, list: ends }),
  };
  const places = feedPlaces(max);
  const metrics = publisherMetrics(registry);
  feedRoute(http, '/feed', { source: 'acme', issuer: ISSUER }, { feed, places, metrics });
  await http.listen({ host: '127.0.0.1', port: 0 });
  const { port } = http.server.address() as AddressInfo;
  const hear = async (from: string, headers = {}) => {
    const asking: ClientRequest = get({
      port,
      path: '/feed',
      headers: { 'x-forwarded-for': from, ...headers },
    });
    asking.on('error', () => undefined);
    const answer = await new Promise<IncomingMessage>((resolve) => asking.once('response', resolve));
    const heard = { status: answer.statusCode, isClosed: false, answer };
    answer
      .on('error', () => undefined)
      .on('close', () => {
        heard.isClosed = true;
      });
    return heard;
  };
  const counted = async (outcome: string) =>
    (await registry.getSingleMetricAsString('mayfly_feeds_total')).includes(`outcome="${outcome}"} 1`);
  return { hear, listeners, counted };
}

test('with all places taken one address gives way to the next, and is then told why it cannot come back', async () => {
  const { hear, counted } = await served([], 3);
  const greedy = [await hear('192.0.2.1'), await hear('192.0.2.1'), await hear('192.0.2.1')];
  for (const { answer } of greedy) answer.resume();

  expect((await hear('198.51.100.7')).status).toBe(200);
  await vi.waitFor(() => expect(greedy.map(({ isClosed }) => isClosed)).toEqual([false, false, true]));
  const refused = await hear('192.0.2.1');
  expect(refused.status).toBe(429);
  expect(JSON.parse((await refused.answer.toArray()).join(''))).toMatchObject({ error: 'slow_down' });
  expect([await counted('sent_away'), await counted('full')]).toEqual([true, true]);
});

test('whoever does not read for half a minute is sent away, and whoever reads is not', async () => {
  const ends = Array.from({ length: 60_000 }, (_, at) => endedBuild(at + 1, 0));
  const { hear, listeners, counted } = await served(ends, 10);
  const [stalled, reading] = [await hear('192.0.2.1'), await hear('192.0.2.2')];
  // The last of many megabytes, which a slow machine takes its time to read.
  let end = '';
  let isAllThere = false;
  reading.answer.setEncoding('utf8').on('data', (chunk: string) => {
    end = (end + chunk).slice(-chunk.length - 100);
    isAllThere ||= end.includes('"events":60000');
  });
  await vi.waitFor(() => expect(isAllThere).toBe(true), 20_000);
  const beat = () => {
    for (const listener of listeners) listener.beat();
  };
  const real = performance.now.bind(performance);
  const later = vi.spyOn(performance, 'now').mockImplementation(() => real() + 29_000);
  beat();
  await vi.waitFor(() => expect(listeners.size).toBe(2));
  later.mockImplementation(() => real() + 31_000);
  beat();

  await vi.waitFor(() => expect(listeners.size).toBe(1), 10_000);
  later.mockRestore();
  expect(reading.isClosed).toBe(false);
  expect(stalled.status).toBe(200);
  expect(await counted('too_slow')).toBe(true);
});
