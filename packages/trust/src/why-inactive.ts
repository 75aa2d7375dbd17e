import { isCanonicalJws } from '@mayfly/contracts/compact-jws';
import { hasOnlySignature } from '@mayfly/contracts/low-s';
import type { InspectedToken } from './inspect-token.ts';

/** What else is known when introspection says that a token is not active. */
export type KnownOfToken = {
  token: string;
  inspected: InspectedToken;
  now: number;
  issuer: string;
  /** Whether a key of the issuer signed it; undefined where its keys could not be asked. */
  signature: 'good' | 'bad' | 'no such key' | undefined;
  /** What the issuer says of the build to this relying party: undefined where it was not asked, null where it knows none. */
  build: { state: string; reason?: string; attempt: number } | null | undefined;
  /** The audiences about which the relying party is told, where `mayfly.yaml` was given. */
  audiences: readonly string[] | undefined;
};

/** Takes what is known of a token that is not active; gives the reasons, as far as they can be told from outside. */
export function whyInactive(known: KnownOfToken): string[] {
  const reasons = [...formReasons(known), ...claimReasons(known), ...buildReasons(known)];
  if (reasons.length > 0) return reasons;
  return [
    known.audiences
      ? 'nothing that can be told from outside: its jti may have been used once already (one_time)'
      : 'nothing that can be told from outside, but that this relying party may not be told about its audience: give --config mayfly.yaml',
  ];
}

function formReasons({ token, inspected: { header }, signature }: KnownOfToken): string[] {
  const checks: [boolean, string][] = [
    [!isCanonicalJws(token), 'it is not in canonical form, and is not even read'],
    [
      !hasOnlySignature(token, String(header['alg'])),
      'its signature has the higher of two S, which none of ours has: somebody rewrote it',
    ],
    [
      header['typ'] !== 'JWT' || Object.keys(header).length !== 3,
      'its header is not alg, kid and typ JWT alone',
    ],
    [
      signature === 'no such key',
      'no key of the issuer has its kid: it is of another issuer, or its key was retired',
    ],
    [signature === 'bad', 'its signature is bad: it was changed, or somebody else made it'],
  ];
  return checks.filter(([holds]) => holds).map(([, reason]) => reason);
}

function claimReasons({ inspected, now, issuer, audiences }: KnownOfToken): string[] {
  const { iss, exp, nbf, aud } = inspected.claims;
  const meant = [aud].flat().map(String);
  const checks: [boolean, string][] = [
    [iss !== issuer, `it is of the issuer ${String(iss)}, and ${issuer} was asked`],
    [Number(exp) <= now, `it expired ${now - Number(exp)} s ago`],
    [Number(nbf) > now, `it is not good for another ${Math.ceil(Number(nbf) - now)} s`],
    [
      audiences !== undefined && !meant.some((one) => audiences.includes(one)),
      `it is meant for ${meant.join(', ')}, and this relying party is told about ${audiences?.join(', ')} only`,
    ],
  ];
  return checks.filter(([holds]) => holds).map(([, reason]) => reason);
}

function buildReasons({ build, inspected }: KnownOfToken): string[] {
  const named = inspected.build;
  if (!named) return ['its jti names no build'];
  if (build === undefined) return [];
  if (build === null)
    return [`the issuer has no build ${named.id} on record that this relying party may know`];
  if (build.attempt !== named.attempt)
    return [`it is of attempt ${named.attempt} of the build, and attempt ${build.attempt} is on record`];
  return build.state === 'running'
    ? []
    : [`its build is ${build.state} (${build.reason ?? 'no reason is told'})`];
}
