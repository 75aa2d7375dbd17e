import { Worker } from 'node:worker_threads';
import type { TcpProxy } from './proxy.ts';
import type { Request } from './proxy-worker.ts';

/** Proxies in a thread of their own: what a test does beside them delays nothing that goes through them. */
export type ProxyThread = AsyncDisposable & { start(target: number): Promise<TcpProxy> };

/** Starts the thread; dispose of it and its proxies are gone too. */
export function proxyThread(): ProxyThread {
  const worker = new Worker(new URL('./proxy-worker.ts', import.meta.url), { execArgv: [] });
  const waiting = new Map<number, (port: number) => void>();
  worker.on('message', ({ id, port }: { id: number; port: number }) => {
    waiting.get(id)?.(port);
    waiting.delete(id);
  });
  const ask = (request: Request) =>
    new Promise<number>((resolve) => {
      waiting.set(request.id, resolve);
      worker.postMessage(request);
    });
  let last = 0;
  return {
    async start(target) {
      const id = ++last;
      const port = await ask({ id, act: 'start', target });
      return {
        port,
        switchTo: (next) => worker.postMessage({ id, act: 'switchTo', target: next } satisfies Request),
        cut: () => worker.postMessage({ id, act: 'cut' } satisfies Request),
        freeze: () => worker.postMessage({ id, act: 'freeze' } satisfies Request),
        mend: () => worker.postMessage({ id, act: 'mend' } satisfies Request),
        [Symbol.asyncDispose]: async () => void (await ask({ id, act: 'stop' })),
      };
    },
    [Symbol.asyncDispose]: async () => void (await worker.terminate()),
  };
}
