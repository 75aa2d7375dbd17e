import { once } from 'node:events';
import { type AddressInfo, connect } from 'node:net';
import type { Logger } from 'pino';
import { expect, onTestFinished, test } from 'vitest';
import { createHttp } from './http.ts';

const silent = { debug: () => undefined, error: () => undefined } as unknown as Logger;

test.each([
  ['headers', 'GET / HTTP/1.1\r\nhost: x\r\n', 'x: y\r\n'],
  ['a body', 'POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 9999\r\n\r\n', 'x'],
])('a listener that closes waits for no client that sends %s without end', async (_, head, drop) => {
  const http = createHttp(silent);
  http.post('/', () => ({}));
  await http.listen({ host: '127.0.0.1', port: 0 });
  const { port } = http.server.address() as AddressInfo;
  const client = connect(port, '127.0.0.1');
  client.on('error', () => undefined).resume();
  const dripping = setInterval(() => client.write(drop), 500);
  onTestFinished(() => {
    clearInterval(dripping);
    client.destroy();
  });
  await once(http.server, 'connection');
  client.write(head);
  const started = performance.now();

  await http.close();

  expect(performance.now() - started).toBeLessThan(9000);
});
