import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { asOperator, userName } from './operator-request.ts';

const INFO = 'INFO {"server_id":"x","version":"2.10.0","max_payload":1000,"headers":true,"proto":1}\r\n';

test('who has no entry in passwd, as in a container with a uid of its own, is named by the uid', () => {
  const nobody = () => {
    throw Object.assign(new Error('uv_os_get_passwd returned ENOENT'), { code: 'ERR_SYSTEM_ERROR' });
  };

  expect(userName(nobody)).toBe(`uid-${process.getuid?.()}`);
  expect(userName()).toBe(userInfo().username);
});

test('a server that offers no TLS is not told the password of an operator who asks for it by tls://', async () => {
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
  const folder = mkdtempSync(join(tmpdir(), 'mayfly-operator-'));
  onTestFinished(() => {
    server.close();
    rmSync(folder, { recursive: true });
  });
  writeFileSync(join(folder, 'password'), 'the password');
  const { port } = server.address() as AddressInfo;
  const ask = (nats: string) => {
    const access = {
      nats,
      user: undefined,
      passwordFile: join(folder, 'password'),
      timeoutMs: 2000,
      env: {},
    };
    return asOperator(access, 'issuer', () => Promise.resolve());
  };

  await expect(ask(`tls://127.0.0.1:${port}`)).rejects.toMatchObject({ failure: 'unreachable' });
  expect(told).toBe('');
  await expect(ask(`tls://127.0.0.1:${port},nats://127.0.0.1:${port}`)).rejects.toMatchObject({
    failure: 'configuration',
  });
  expect(told).toBe('');

  // It is for the scheme alone that nothing was said.
  await expect(ask(`nats://127.0.0.1:${port}`)).rejects.toMatchObject({ failure: 'unreachable' });
  expect(told).toContain('the password');
});
