import type { BuildLife } from '@mayfly/build-store/layout';
import { writeBuildReference } from '@mayfly/contracts/build-reference';
import type { PublicJwk, PublishedKeySet } from '@mayfly/contracts/keys';
import { withLowS } from '@mayfly/contracts/testing';
import { type CryptoKey, exportJWK, generateKeyPair, type JWTPayload, SignJWT } from 'jose';
import type { Judge } from './active.ts';
import type { EndedBuild } from './feed-log.ts';
import { keySets } from './key-sets.ts';
import type { LifecycleLog, StoredEnd } from './lifecycle-log.ts';
import { tokenReader } from './token.ts';

export const ISSUER = 'https://id.example.com/acme';
export const API = 'https://api.example.com';
/** Seconds since 1970, at which every test is. */
export const NOW = 1_795_000_000;

/** An issuer with one key and some builds, and the judge of its tokens. */
export type TestIssuer = {
  judge: Judge;
  keySet: PublishedKeySet;
  /** Names of the builds that were looked for, in order. */
  looked: string[];
  builds: Map<string, BuildLife>;
  sign(claims?: JWTPayload, header?: object): Promise<string>;
};

export async function testIssuer(): Promise<TestIssuer> {
  const { publicKey, privateKey } = await generateKeyPair('ES256', { extractable: true });
  const jwk = { ...(await exportJWK(publicKey)), kid: 'k1', alg: 'ES256', use: 'sig' } as PublicJwk;
  const keySet = { source: 'acme', version: 1, keys: [jwk] };
  const sets = keySets(['acme'], () => NOW * 1000);
  sets.accept(keySet);
  const looked: string[] = [];
  const builds = new Map([['run', running()]]);
  const find = async ({ id }: { id: string }) => {
    looked.push(id);
    return { life: builds.get(id), now: NOW * 1000 };
  };
  return {
    judge: { source: 'acme', issuer: ISSUER, keySets: sets, readToken: tokenReader(100), builds: { find } },
    ...{ keySet, looked, builds },
    sign: async (claims = {}, header = {}) => {
      const token = new SignJWT({ ...plainClaims(), ...claims })
        .setProtectedHeader({ alg: 'ES256', typ: 'JWT', kid: 'k1', ...header })
        .sign(privateKey as CryptoKey);
      return withLowS(await token);
    },
  };
}

export function plainClaims(): JWTPayload {
  const jti = `${writeBuildReference({ source: 'acme', id: 'run', attempt: 1 })}.1`;
  return { iss: ISSUER, aud: API, sub: 'repo:1', jti, iat: NOW, nbf: NOW - 30, exp: NOW + 300 };
}

export function running(deadline = (NOW + 3600) * 1000): BuildLife {
  return { state: 'running', attempt: 1, seq: 3, startedAt: (NOW - 60) * 1000, deadline };
}

/** A LIFECYCLE in memory: one end a sequence, `everyMs` apart, but for those that are no ends. */
export function testLifecycle(count: number, everyMs: number, isEnd = (_seq: number) => true) {
  const stored = new Map<number, StoredEnd>();
  const add = (seq: number) => void stored.set(seq, storedEnd(seq, NOW * 1000 + seq * everyMs));
  for (let seq = 1; seq <= count; seq++) if (isEnd(seq)) add(seq);
  let asked = 0;
  const some: LifecycleLog['some'] = async (from, most) => {
    asked += 1;
    const after = stored.values().filter(({ seq }) => seq >= from);
    return after
      .toArray()
      .toSorted((a, b) => a.seq - b.seq)
      .slice(0, most);
  };
  const log: LifecycleLog = {
    some,
    next: async (from) => (await some(from, 1))[0],
    last: async () => stored.get(Math.max(...stored.keys())),
  };
  return { log, stored, add, asked: () => asked };
}

export function storedEnd(seq: number, storedAt: number, source = 'acme'): StoredEnd {
  return { seq, storedAt, ended: endedBuild(seq, storedAt, source) };
}

export function endedBuild(seq: number, storedAt: number, source = 'acme'): EndedBuild {
  return { seq, storedAt, source, id: `b${seq}`, attempt: 1, reason: 'success', finishedAt: storedAt };
}
