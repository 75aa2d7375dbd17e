import { once } from 'node:events';
import { type AddressInfo, connect, type Socket } from 'node:net';
import type { Logger } from 'pino';
import { expect, onTestFinished, test, vi } from 'vitest';
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
  const [socket] = (await once(http.server, 'connection')) as [Socket];
  client.write(head);
  await vi.waitFor(() => expect(socket.bytesRead).toBeGreaterThanOrEqual(head.length));
  const started = performance.now();

  await http.close();

  const ms = performance.now() - started;
  expect(ms).toBeLessThan(9000);
  // It was in hand, or it would not have been waited for at all.
  expect(ms).toBeGreaterThan(2000);
});
