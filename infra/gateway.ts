import { resolve4 } from 'node:dns/promises';
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { pipeline } from 'node:stream/promises';

// The one address that stays while services are scaled: `node gateway.ts 8080=issuer:8080 …` listens on each first port
// and hands every connection to one of the containers that go by that name. It needs nothing but Node.

const CONNECT_MILLISECONDS = 500;

for (const route of process.argv.slice(2)) {
  const [port, host, target] = route.split(/[=:]/);
  if (!port || !host || !target) throw new TypeError(`${route} is no port=host:port`);
  createServer((client) => void handOver(client, host, Number(target)).catch(() => client.destroy())).listen(
    Number(port),
  );
}
for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => process.exit());

/** The containers are asked for again at each connection, so that those started since then take part. */
async function handOver(client: Socket, host: string, port: number): Promise<void> {
  client.on('error', () => client.destroy());
  const server = await open(shuffled(await resolve4(host)), port);
  await Promise.all([pipeline(client, server), pipeline(server, client)]);
}

async function open(addresses: string[], port: number): Promise<Socket> {
  for (const address of addresses) {
    const server = connect({ host: address, port, timeout: CONNECT_MILLISECONDS });
    server.on('timeout', () => server.connecting && server.destroy(new Error('no answer')));
    try {
      await once(server, 'connect');
      return server;
    } catch {
      server.destroy();
    }
  }
  throw new Error('no container answers');
}

function shuffled(addresses: string[]): string[] {
  return addresses
    .map((address) => ({ address, at: Math.random() }))
    .sort((a, b) => a.at - b.at)
    .map(({ address }) => address);
}
