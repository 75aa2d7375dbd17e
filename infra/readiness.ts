import { readFileSync } from 'node:fs';
import { connect } from 'node:net';

/** Says whether `url` answers 200 within five seconds. */
export async function answersOk(url: string): Promise<boolean> {
  try {
    return (await fetch(url, { signal: AbortSignal.timeout(5000) })).ok;
  } catch {
    return false;
  }
}

/** Says whether a Redis that asks for a password, and has loaded its data, listens on a port of 127.0.0.1. */
export function isRedisUp(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => socket.write('PING\r\n'));
    const end = (isUp: boolean) => {
      socket.destroy();
      resolve(isUp);
    };
    socket.setTimeout(5000, () => end(false));
    socket.on('error', () => end(false));
    socket.on('close', () => end(false));
    socket.on('data', (data) => end(/^(-NOAUTH|\+PONG)/.test(data.toString())));
  });
}

/** Gives the last lines of a log file, for an error message. */
export function endOfLog(file: string): string {
  try {
    return readFileSync(file, 'utf8').trimEnd().split('\n').slice(-5).join('\n');
  } catch {
    return '(no log)';
  }
}
