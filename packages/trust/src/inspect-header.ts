import { type Oddity, odd } from './oddity.ts';

const DANGEROUS = ['jwk', 'jku', 'x5u', 'x5c', 'crit', 'b64', 'zip'];

/** Takes the header of a token; gives what is odd about it (RFC 8725 §3.1, §3.11). */
export function headerOddities(header: Record<string, unknown>): Oddity[] {
  const { alg, typ, kid } = header;
  const found: Oddity[] = [];
  if (alg === 'none' || alg === undefined) found.push(odd('alg is none: nobody signed it', 'refuse it'));
  else if (String(alg).startsWith('HS'))
    found.push(
      odd(
        `alg is ${String(alg)}: whoever verifies it can make it`,
        'refuse it: we sign with RS256 and ES256',
      ),
    );
  else if (alg !== 'RS256' && alg !== 'ES256')
    found.push(odd(`alg is ${String(alg)}, and we sign with RS256 and ES256`, 'look who issued it'));
  if (typ !== 'JWT') found.push(odd(typAnswer(typ), 'refuse it where an ID token is wanted'));
  if (typeof kid !== 'string' || kid === '')
    found.push(
      odd(
        'it has no kid, so that nobody knows which key to verify it with',
        'look who issued it: ours have one',
      ),
    );
  else if (!/^[A-Za-z0-9_-]{43}$/.test(kid))
    found.push(odd('kid is no RFC 7638 thumbprint, as ours are', 'look who issued it'));
  const strange = DANGEROUS.filter((name) => name in header);
  if (strange.length > 0)
    found.push(
      odd(
        `its header has ${strange.join(', ')}, by which a token tells how to verify itself`,
        'refuse it: never follow what a header says',
      ),
    );
  const others = Object.keys(header).filter((name) => !['alg', 'typ', 'kid', ...DANGEROUS].includes(name));
  if (others.length > 0)
    found.push(odd(`its header has ${others.join(', ')}, which ours have not`, 'look who issued it'));
  return found;
}

function typAnswer(typ: unknown): string {
  if (typ === undefined) return 'it has no typ, and an ID token of ours has JWT';
  if (typ === 'statuslist+jwt') return 'typ is statuslist+jwt: it is a Status List Token';
  return typ === 'at+jwt'
    ? 'typ is at+jwt: it is an access token'
    : `typ is ${String(typ)}, and an ID token of ours has JWT`;
}
