import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { expect, test } from 'vitest';
import { openBus } from './bus.ts';

const INFO = 'INFO {"server_id":"x","version":"2.10.0","max_payload":1000,"headers":true,"proto":1}\r\n';

test('to a server that offers no TLS nothing is said where the address asks for it by tls://', async () => {
  let told = '';
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.on('data', (data) => {
      told += data.toString();
      socket.end("-ERR 'Authorization Violation'\r\n");
    });
    socket.write(INFO);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const open = (scheme: string) =>
    openBus({ servers: `${scheme}://127.0.0.1:${port}`, user: 'ci-acme', pass: 'the password' });

  await expect(open('tls')).rejects.toThrow(/tls/);
  expect(told).toBe('');

  // It is for the scheme alone that nothing was said.
  await expect(open('nats')).rejects.toThrow();
  expect(told).toContain('the password');
  server.close();
});
