import { isIPv6 } from 'node:net';

/**
 * Takes the address of a client; gives the network by which it is counted: an IPv4 address, or the /64 of an IPv6 one,
 * which is the least that anyone is given and of which he has every address.
 */
export function clientNetwork(address: string): string {
  const [ip = ''] = withoutPort(address).split('%');
  const [, mapped] = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(ip) ?? [];
  if (mapped !== undefined || !isIPv6(ip)) return mapped ?? ip;
  const [before = '', after = ''] = ip.split('::');
  const first = groupsOf(before);
  const zeros = ip.includes('::') ? 8 - first.length - groupsOf(after).length : 0;
  const all = [...first, ...Array.from({ length: zeros }, () => '0'), ...groupsOf(after)];
  return `${all
    .slice(0, 4)
    .map((group) => Number.parseInt(group, 16).toString(16))
    .join(':')}::/64`;
}

/** Some proxies write the port of a client behind its address: `203.0.113.7:50123`, `[2001:db8::1]:50123`. */
function withoutPort(address: string): string {
  const [, v4, v6] = /^(?:(\d+\.\d+\.\d+\.\d+)(?::\d+)?|\[([^\]]+)\](?::\d+)?)$/.exec(address) ?? [];
  return v4 ?? v6 ?? address;
}

/** The groups of 16 bits in a part of an address; an IPv4 address at the end is two of them. */
function groupsOf(part: string): string[] {
  if (part === '') return [];
  return part.split(':').flatMap((group) => (group.includes('.') ? ['0', '0'] : [group]));
}
