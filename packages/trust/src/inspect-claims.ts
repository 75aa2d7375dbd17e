import { readBuildReference } from '@mayfly/contracts/build-reference';
import { LONGEST_LIFETIME_SECONDS } from '@mayfly/contracts/policy';
import { type Oddity, odd } from './oddity.ts';
import type { TokenClaims } from './token-of.ts';

/** What a token is held against: the time (s), and the issuer that it is said to be from, if one is. */
export type Against = { now: number; issuer?: string | undefined };

const WANTED = ['iss', 'sub', 'aud', 'exp', 'iat', 'nbf', 'jti'] as const;

/** Takes the claims of a token and what to hold them against; gives what is odd about them. */
export function claimOddities(claims: TokenClaims, against: Against): Oddity[] {
  return [
    ...WANTED.filter((name) => claims[name] === undefined || claims[name] === '').map((name) =>
      odd(`it has no ${name}, which every ID token of ours has`, 'look who issued it'),
    ),
    ...issuerOddities(claims['iss'], against.issuer),
    ...subjectOddities(claims['sub']),
    ...audienceOddities(claims),
    ...timeOddities(claims, against.now),
    ...idOddities(claims),
    ...valueOddities(claims),
  ];
}

/** Takes the claims of a token; gives the build that its `jti` names, if it is of our form. */
export function buildOf({ jti }: TokenClaims): ReturnType<typeof readBuildReference> {
  return typeof jti === 'string'
    ? readBuildReference(jti.slice(0, Math.max(jti.indexOf('.'), 0)))
    : undefined;
}

function issuerOddities(iss: unknown, issuer: string | undefined): Oddity[] {
  if (typeof iss !== 'string') return [];
  const found: Oddity[] = [];
  if (issuer !== undefined && iss !== issuer)
    found.push(
      odd(
        iss.replace(/\/$/, '') === issuer.replace(/\/$/, '')
          ? `iss is ${iss} and not ${issuer}: the slash at the end makes another issuer`
          : `iss is ${iss} and not ${issuer}`,
        'configure the relying party with exactly what iss says',
      ),
    );
  if (!iss.startsWith('https://'))
    found.push(odd('iss is no https address: clouds and Vault take no other', 'set base_url in mayfly.yaml'));
  return found;
}

function subjectOddities(sub: unknown): Oddity[] {
  if (sub === undefined) return [];
  if (typeof sub !== 'string') return [odd('sub is no text', 'look who issued it')];
  const strange = [...new Set(sub.replace(/[A-Za-z0-9._~@%:/+-]/g, ''))];
  return strange.length === 0
    ? []
    : [
        odd(
          `sub has signs that not everybody takes: ${strange.map((sign) => JSON.stringify(sign)).join(' ')}`,
          'use a profile with subject.escape: strict',
        ),
      ];
}

function audienceOddities({ aud, azp }: TokenClaims): Oddity[] {
  const found: Oddity[] = [];
  if (Array.isArray(aud) && aud.length > 1)
    found.push(
      odd(
        `it has ${aud.length} audiences: each can use it at the others, and AWS refuses it`,
        'ask for one token an audience',
      ),
    );
  else if (Array.isArray(aud))
    found.push(
      odd('aud is a list: HAProxy and Dovecot want a text', 'use a profile whose audience.form is string'),
    );
  if (azp !== undefined)
    found.push(odd('it has azp, which AWS takes for the audience', 'look who issued it: ours never have it'));
  return found;
}

function timeOddities({ exp, iat, nbf }: TokenClaims, now: number): Oddity[] {
  const found: Oddity[] = [];
  for (const [name, value] of Object.entries({ exp, iat, nbf }))
    if (value !== undefined && !Number.isSafeInteger(value))
      found.push(odd(`${name} is no whole number of seconds`, 'look who issued it'));
  return [...found, ...momentOddities(exp, nbf, iat, now)];
}

function momentOddities(exp: unknown, nbf: unknown, iat: unknown, now: number): Oddity[] {
  const [end, from, begin] = [exp, nbf, iat].map((value) =>
    typeof value === 'number' ? value : Number.NaN,
  ) as [number, number, number];
  const checks: [boolean, string, string][] = [
    [end <= now, `it expired ${now - end} s ago`, 'ask for a new one'],
    [from > now, `it is not good for another ${Math.ceil(from - now)} s (nbf)`, 'set the clocks right'],
    [begin > now, `it was issued ${Math.ceil(begin - now)} s in the future (iat)`, 'set the clocks right'],
    [end <= begin, 'exp is not after iat', 'look who issued it'],
    [
      end - begin > LONGEST_LIFETIME_SECONDS,
      `it lives ${end - begin} s; no policy of ours allows more than ${LONGEST_LIFETIME_SECONDS}`,
      'look who issued it',
    ],
  ];
  return checks.filter(([isOdd]) => isOdd).map(([, what, next]) => odd(what, next));
}

function idOddities(claims: TokenClaims): Oddity[] {
  const { jti, iss, status } = claims;
  const build = buildOf(claims);
  const found: Oddity[] = [];
  if (typeof jti === 'string' && jti !== '' && !build)
    found.push(odd('jti names no build, as ours do', 'look who issued it'));
  if (build && typeof iss === 'string' && !iss.endsWith(`/${build.source}`))
    found.push(odd(`jti is of the source ${build.source}, and iss is not`, 'refuse it'));
  if (status === undefined)
    found.push(
      odd(
        'it has no status: whether its build still runs, a status list cannot say',
        'look who issued it: ours have status.status_list',
      ),
    );
  return found;
}

function valueOddities(claims: TokenClaims): Oddity[] {
  const named = (test: (value: unknown) => boolean) => {
    const own = Object.entries(claims).filter(
      ([name]) => !['exp', 'iat', 'nbf', 'status', 'aud', 'https://aws.amazon.com/tags'].includes(name),
    );
    return own.filter(([, value]) => test(value)).map(([name]) => name);
  };
  const empty = named((value) => value === null);
  const other = named((value) => value !== null && typeof value !== 'string');
  return [
    ...(empty.length > 0
      ? [odd(`null is the value of ${empty.join(', ')}, at which Fulcio refuses`, 'look who issued it')]
      : []),
    ...(other.length > 0
      ? [
          odd(
            `no text is the value of ${other.join(', ')}, which Vault's claim_mappings and Fulcio do not take`,
            'give them type: string in the profile',
          ),
        ]
      : []),
  ];
}
