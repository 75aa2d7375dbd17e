import { parentPort } from 'node:worker_threads';
import { startProxy, type TcpProxy } from './proxy.ts';

/** What `proxy-thread.ts` asks for: a proxy in front of a port, or something of the one with that number. */
export type Request = { id: number } & (
  | { act: 'start'; target: number }
  | { act: 'cut' | 'freeze' | 'mend' | 'stop' }
  | { act: 'switchTo'; target: number }
);

const proxies = new Map<number, TcpProxy>();

parentPort?.on('message', async (request: Request) => {
  parentPort?.postMessage({ id: request.id, port: await answer(request) });
});

async function answer(request: Request): Promise<number> {
  if (request.act === 'start') proxies.set(request.id, await startProxy(request.target));
  const proxy = proxies.get(request.id) as TcpProxy;
  if (request.act === 'switchTo') proxy.switchTo(request.target);
  else if (request.act === 'stop') await proxy[Symbol.asyncDispose]();
  else if (request.act !== 'start') proxy[request.act]();
  return proxy.port;
}
