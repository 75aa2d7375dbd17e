import { connect, type Socket } from 'node:net';

/** A response, as little of it as a load generator needs. */
export type Response = { status: number; body: string };

/** Kept-alive connections to one server of this machine, over which requests go as the text that they are on the wire. */
export type HttpPool = { send(request: string): Promise<Response>; close(): void };

type Asked = { request: string; resolve(response: Response): void; reject(error: unknown): void };

/** Opens a pool of at most `size` connections, each given up where nothing comes for `timeoutMs`; what comes when all are busy waits. */
export function httpPool(port: number, size: number, timeoutMs = 0): HttpPool {
  const idle: Connection[] = [];
  const waiting: Asked[] = [];
  const all = new Set<Connection>();
  const ask = (asked: Asked) => {
    const there = idle.pop();
    if (there) return there.ask(asked);
    if (all.size >= size) return void waiting.push(asked);
    const made = open(port, free, gone);
    made.socket.setTimeout(timeoutMs, () => made.socket.destroy());
    all.add(made);
    made.ask(asked);
  };
  const free = (connection: Connection) => {
    const next = waiting.shift();
    if (next) connection.ask(next);
    else idle.push(connection);
  };
  // A server closes what was idle for long.
  const gone = (connection: Connection) => {
    all.delete(connection);
    const at = idle.indexOf(connection);
    if (at >= 0) idle.splice(at, 1);
    const next = waiting.shift();
    if (next) ask(next);
  };
  return {
    send: (request) => new Promise((resolve, reject) => ask({ request, resolve, reject })),
    close() {
      for (const connection of all) connection.socket.destroy();
    },
  };
}

type Connection = { socket: Socket; ask(asked: Asked): void };

function open(
  port: number,
  free: (connection: Connection) => void,
  gone: (connection: Connection) => void,
): Connection {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true });
  let asked: Asked | undefined;
  let text = '';
  socket.setEncoding('latin1');
  const connection: Connection = {
    socket,
    ask(next) {
      asked = next;
      socket.write(next.request);
    },
  };
  socket.on('data', (chunk: string) => {
    text += chunk;
    const response = readResponse(text);
    if (response === 'unreadable') return void socket.destroy();
    if (!response || !asked) return;
    const { resolve } = asked;
    asked = undefined;
    text = '';
    resolve(response);
    free(connection);
  });
  socket.on('error', () => undefined);
  socket.on('close', () => {
    gone(connection);
    asked?.reject(new Error('the server closed the connection'));
  });
  return connection;
}

/** Gives the one response in `text`, undefined while it is not whole; one that says no length cannot be read here. */
function readResponse(text: string): Response | 'unreadable' | undefined {
  const end = text.indexOf('\r\n\r\n');
  if (end < 0) return undefined;
  const length = /\r\ncontent-length: *(\d+)/i.exec(text.slice(0, end + 2))?.[1];
  if (length === undefined) return 'unreadable';
  if (text.length < end + 4 + Number(length)) return undefined;
  return { status: Number(text.slice(9, 12)), body: text.slice(end + 4) };
}

/** Gives a request as text: its method and path, headers and body. */
export function requestText(
  port: number,
  line: string,
  headers: Record<string, string> = {},
  body?: string,
): string {
  const all = {
    host: `127.0.0.1:${port}`,
    ...headers,
    ...(body === undefined ? {} : { 'content-length': String(Buffer.byteLength(body)) }),
  };
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
  return `${line} HTTP/1.1\r\n${lines.join('')}\r\n${body ?? ''}`;
}
