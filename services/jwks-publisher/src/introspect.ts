import { type BuildReader, runningBuild } from '@mayfly/build-store/reader';
import { readBuildReference } from '@mayfly/contracts/build-reference';
import { isCanonicalJws } from '@mayfly/contracts/compact-jws';
import type { AdmittedBuild } from '@mayfly/contracts/events';
import { compactVerify, decodeProtectedHeader, type JWTPayload } from 'jose';
import type { RelyingParty } from './credentials.ts';
import type { ServedKeySet } from './key-sets.ts';

/** What introspection needs: the issuer's keys, the builds, and the time (s since 1970). */
export type Introspector = {
  source: string;
  issuer: string;
  keySet(): ServedKeySet | undefined;
  builds: Pick<BuildReader, 'find'>;
  now(): number;
};

/** The answer (RFC 7662 §2.2): everything about an active token, nothing about any other. */
export type Introspection = { active: false } | ({ active: true } & Record<string, unknown>);

const INACTIVE: Introspection = { active: false };

/**
 * Says whether `token` is active, for a relying party that asks: signed by this issuer, meant for an audience of the
 * asking party, within its times, and of a build that runs now. Throws `temporarily_unavailable` where the state of
 * builds is not known.
 */
export async function introspect(
  token: string,
  caller: RelyingParty,
  introspector: Introspector,
): Promise<Introspection> {
  if (!isCanonicalJws(token)) return INACTIVE;
  const claims = await verifiedClaims(token, introspector);
  if (!claims || !isMeantFor(caller, claims.aud)) return INACTIVE;

  const reference = readBuildReference(String(claims.jti).split('.')[0] as string);
  if (reference?.source !== introspector.source) return INACTIVE;
  const known = await introspector.builds.find(reference);
  const build = runningBuild(known, reference.attempt);
  const now = introspector.now();
  if (!build || (claims.exp as number) <= now || (claims.nbf as number) > now) return INACTIVE;
  return { active: true, ...claims, build: factsOf(build) };
}

async function verifiedClaims(
  token: string,
  { keySet, issuer }: Introspector,
): Promise<JWTPayload | undefined> {
  try {
    const header = decodeProtectedHeader(token);
    const { kid, alg, typ } = header;
    if (Object.keys(header).length !== 3 || typ !== 'JWT' || typeof kid !== 'string') return undefined;
    const signingKey = keySet()?.keys.get(kid);
    if (!signingKey || signingKey.alg !== alg) return undefined;
    const { payload } = await compactVerify(token, signingKey.key, { algorithms: [signingKey.alg] });
    const claims = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(payload)) as JWTPayload;
    const hasTimes = Number.isSafeInteger(claims.exp) && Number.isSafeInteger(claims.nbf);
    return claims.iss === issuer && hasTimes && typeof claims.jti === 'string' ? claims : undefined;
  } catch {
    return undefined;
  }
}

function isMeantFor({ audiences }: RelyingParty, aud: unknown): boolean {
  if (typeof aud === 'string') return audiences.has(aud);
  return Array.isArray(aud) && aud.some((audience) => audiences.has(audience));
}

function factsOf({ build, attempt, started_at, deadline }: AdmittedBuild) {
  return {
    id: build.id,
    attempt,
    started_at: Math.floor(started_at / 1000),
    deadline: Math.floor(deadline / 1000),
  };
}
