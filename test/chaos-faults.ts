import type { TcpProxy } from './proxy.ts';
import type { TestSystem } from './system.ts';

/** One fault: what was done to which part, and when (ms of the driver's monotonic clock). */
export type Fault = { what: string; from: number; to: number };

type Options = {
  system: TestSystem;
  /** Ways between services and servers that can be cut or frozen. */
  proxies: Record<string, TcpProxy>;
  random(): number;
};

const KILLABLE = /^(nats|redis|key-manager|build-lifecycle|issuer|jwks-publisher)/;

/** Does one fault, chosen at random, for half a second to two seconds; gives what it was, once all is up again. */
export async function doFault({ system, proxies, random }: Options): Promise<Fault> {
  const pick = <T>(all: readonly T[]) => all[Math.floor(random() * all.length)] as T;
  const parts = system.names.filter((name) => KILLABLE.test(name));
  const lastsMs = 500 + random() * 1500;
  const kinds = ['kill', 'pause', ...(Object.keys(proxies).length > 0 ? ['cut', 'freeze'] : [])];
  const kind = pick(kinds);
  const from = performance.now();
  if (kind === 'kill' || kind === 'pause') {
    const part = pick(parts);
    if (kind === 'kill') await system.kill(part);
    else await system.pause(part);
    await pause(lastsMs);
    if (kind === 'kill') await system.start(part);
    else await system.resume(part);
    return { what: `${kind} ${part}`, from, to: performance.now() };
  }
  const way = pick(Object.keys(proxies));
  const proxy = proxies[way] as TcpProxy;
  if (kind === 'cut') proxy.cut();
  else proxy.freeze();
  await pause(lastsMs);
  proxy.mend();
  return { what: `${kind} ${way}`, from, to: performance.now() };
}

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
