import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { announceSecret, listenForSecrets } from './mask-socket.ts';

test('a secret is heard as it was said, though its signs of several bytes come in pieces', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'mayfly-socket-'));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  const heard: string[] = [];
  const path = join(directory, 'mask.sock');
  const server = await listenForSecrets(path, (secret) => heard.push(secret));
  onTestFinished(() => void server.close());
  const secret = `x${'\u20ac'.repeat(60_000)}`;

  await announceSecret(path, secret);

  expect(heard.length).toBe(1);
  expect(heard[0] === secret).toBe(true);
});
