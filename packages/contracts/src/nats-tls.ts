/**
 * Takes the addresses of NATS servers; gives the option of the client that has it insist on TLS where they say `tls://`. By
 * itself it heeds no scheme: it would send its password to whoever answers and offers no TLS. Throws a TypeError where
 * only some say it.
 */
export function natsTls(servers: string | readonly string[]): { tls?: Record<string, never> } {
  const all = typeof servers === 'string' ? [servers] : servers;
  const secured = all.filter((url) => url.startsWith('tls://')).length;
  if (secured === 0) return {};
  if (secured < all.length)
    throw new TypeError('of the NATS servers all or none are to be reached by tls://');
  return { tls: {} };
}
