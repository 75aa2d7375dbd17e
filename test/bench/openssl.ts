import { spawnSync } from 'node:child_process';

const NAMES = { RS256: 'rsa2048', ES256: 'ecdsap256' } as const;

/** Gives how many signatures `openssl speed` makes a second of CPU time, in one thread. */
export function rawSignatures(algorithm: 'RS256' | 'ES256', seconds = 1): number {
  const args = ['speed', '-seconds', String(seconds), '-mr', NAMES[algorithm]];
  const { stdout } = spawnSync('openssl', args, { encoding: 'utf8' });
  // RSA: `+F2:<index>:<bits>:<signatures a second>:…`, ECDSA: `+F4:…`. In newer versions seconds a signature.
  const line = stdout.split('\n').find((one) => /^\+F[24]:/.test(one));
  const rate = Number(line?.split(':')[3]);
  if (!(rate > 0)) throw new Error('openssl speed printed nothing that can be read');
  return rate;
}
