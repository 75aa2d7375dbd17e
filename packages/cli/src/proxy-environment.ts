import * as http from 'node:http';
import type { Environment } from './grant.ts';
import { THIS_MACHINE, withoutProxyToUs } from './step-variables.ts';

// The types that we have do not know it yet.
const { setGlobalProxyFromEnv } = http as { setGlobalProxyFromEnv?(env: Environment): unknown };

/** Those that Node reads. */
const HEEDED = ['http_proxy', 'HTTP_PROXY', 'https_proxy', 'HTTPS_PROXY'];

/**
 * Has what asks the issuer and Vault go through the proxy that the environment names; what asks this machine does not. A proxy
 * that is none is not heeded, and told without its value, which may hold a password.
 */
export function heedProxies(env: Environment, warn: (line: string) => void): void {
  const heeded: Record<string, string | undefined> = { ...withoutProxyToUs(env, THIS_MACHINE) };
  for (const name of HEEDED) {
    if (!heeded[name]) continue;
    heeded[name] = proxyUrl(heeded[name]);
    if (!heeded[name])
      warn(`${name} is no address of a proxy, such as http://proxy.example:3128, and is not heeded`);
  }
  try {
    setGlobalProxyFromEnv?.(heeded);
  } catch {
    warn('the proxy that the environment names cannot be used, and is not heeded');
  }
}

/** Without a scheme it is http's, as with curl; undefined where it is no address. */
function proxyUrl(text: string): string | undefined {
  const url = /^[a-z][a-z0-9+.-]*:\/\//i.test(text) ? text : `http://${text}`;
  if (!URL.canParse(url)) return undefined;
  const { protocol, hostname, username, password, pathname } = new URL(url);
  if (!/^https?:$/.test(protocol) || hostname === '' || pathname !== '/') return undefined;
  try {
    decodeURIComponent(`${username}${password}`);
  } catch {
    return undefined;
  }
  return url;
}
