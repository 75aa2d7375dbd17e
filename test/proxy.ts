import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

/** A TCP proxy on a free port whose target can be changed, cut or frozen: what a network does to a server. */
export type TcpProxy = AsyncDisposable & {
  port: number;
  /** Sends new connections to another port, and ends those there are. */
  switchTo(port: number): void;
  /** Ends every connection and refuses new ones, until `mend`. */
  cut(): void;
  /** Lets nothing through, in either direction, and closes nothing, until `mend`. */
  freeze(): void;
  mend(): void;
};

/** Starts a proxy in front of a port of 127.0.0.1. */
export async function startProxy(target: number): Promise<TcpProxy> {
  let port = target;
  let state: 'open' | 'cut' | 'frozen' = 'open';
  const pairs = new Set<[Socket, Socket]>();
  const endAll = () => {
    for (const pair of pairs) for (const socket of pair) socket.destroy();
  };
  const server = createServer({ noDelay: true }, (client) => {
    if (state === 'cut') return void client.destroy();
    const upstream = connect({ port, host: '127.0.0.1', noDelay: true });
    const pair: [Socket, Socket] = [client, upstream];
    pairs.add(pair);
    for (const [from, to] of [pair, [upstream, client] as const]) {
      from.on('error', () => to.destroy());
      from.on('close', () => {
        to.destroy();
        pairs.delete(pair);
      });
      from.pipe(to);
      if (state === 'frozen') from.pause();
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const setFlow = (isFlowing: boolean) => {
    for (const pair of pairs) for (const socket of pair) isFlowing ? socket.resume() : socket.pause();
  };
  return {
    port: (server.address() as AddressInfo).port,
    switchTo(next) {
      port = next;
      endAll();
    },
    cut() {
      state = 'cut';
      endAll();
    },
    freeze() {
      state = 'frozen';
      setFlow(false);
    },
    mend() {
      state = 'open';
      setFlow(true);
    },
    async [Symbol.asyncDispose]() {
      endAll();
      server.close();
      await once(server, 'close');
    },
  };
}
