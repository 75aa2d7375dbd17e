import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { pino } from 'pino';
import { expect, test, vi } from 'vitest';
import { openBus } from './bus.ts';

const INFO = 'INFO {"server_id":"x","version":"2.10.0","max_payload":1000,"headers":true,"proto":1}\r\n';

test('a service that is to reach NATS by tls:// says nothing to a server that offers none, however often it tries', async () => {
  let told = '';
  let connections = 0;
  const server = createServer((socket) => {
    connections += 1;
    socket.on('error', () => undefined);
    socket.on('data', (data) => {
      told += data.toString();
    });
    socket.write(INFO);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const address = {
    NATS_URL: `tls://127.0.0.1:${port}`,
    NATS_USER: 'issuer',
    NATS_PASSWORD_FILE: 'password',
  };
  const resources = new AsyncDisposableStack();

  const opening = openBus(address, 'issuer', resources, pino({ level: 'silent' }));
  opening.catch(() => undefined);
  await vi.waitFor(() => expect(connections).toBeGreaterThan(2), 10_000);

  expect(told).toBe('');
  await resources.disposeAsync();
  await expect(opening).rejects.toThrow();
  server.close();
});
