import { once } from 'node:events';
import { createConnection, createServer, type Server, type Socket } from 'node:net';
import { CommandError } from './exit-codes.ts';

/** Where a running `mayfly exec` hears of further secrets. */
export const MASK_SOCKET_VARIABLE = 'MAYFLY_MASK_SOCKET';

const MASKED = 'masked\n';
const MAX_SECRET_CHARACTERS = 64 * 1024;
const ANSWER_WITHIN_MS = 5_000;

/** Listens at `path` for secrets, one a connection, and says so when they are masked. */
export async function listenForSecrets(path: string, add: (secret: string) => void): Promise<Server> {
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    hear(socket, add).catch(() => socket.destroy());
  });
  server.listen(path);
  await once(server, 'listening');
  server.unref();
  return server;
}

async function hear(socket: Socket, add: (secret: string) => void): Promise<void> {
  socket.setTimeout(ANSWER_WITHIN_MS, () => socket.destroy());
  add(await readAll(socket));
  socket.end(MASKED);
}

/** Has `secret` masked by the `mayfly exec` that listens at `path`; throws where that cannot be promised. */
export async function announceSecret(path: string, secret: string): Promise<void> {
  try {
    const socket = createConnection({ path, allowHalfOpen: true });
    socket.setTimeout(ANSWER_WITHIN_MS, () => socket.destroy());
    socket.end(secret);
    if ((await readAll(socket)) === MASKED) return;
  } catch {
    // The same as another answer: nobody promises anything.
  }
  throw new CommandError(
    'masking',
    `the token would not be masked: what ${MASK_SOCKET_VARIABLE} names does not answer; run inside mayfly exec or unset it`,
  );
}

async function readAll(socket: Socket): Promise<string> {
  let heard = '';
  // Signs of several bytes may come in two pieces.
  socket.setEncoding('utf8');
  for await (const chunk of socket) {
    heard += chunk;
    if (heard.length > MAX_SECRET_CHARACTERS) throw new RangeError('too long');
  }
  return heard;
}
