import { createSecretKey } from 'node:crypto';
import { ServiceError } from '@mayfly/contracts/errors';
import type { SourcePolicy } from '@mayfly/contracts/policy';
import { PROFILES_DIR, readProfile } from '@mayfly/profiles/read';
import { expect, test } from 'vitest';
import { grantTokens } from './grant.ts';
import { type Issuer, issueToken, type Running } from './issue.ts';

const KEY = createSecretKey(Buffer.alloc(32, 7));
const profile = await readProfile(PROFILES_DIR, 'n8n');
const running: Running = {
  stream: '2026-11-20T06:00:00Z',
  asked: { now: 0, clock: 0 },
  build: {
    ...{ source: 'acme', attempt: 1, seq: 1, digest: 'd', started_at: 0, deadline: 3_600_000 },
    build: { id: '1', workflow: { id: 'w', name: 'nightly' }, execution: { id: '2' } },
  },
};

/** An issuer of builds that have had so many tokens; `given` are the numbers that it was given back. */
function issuerAfter(issued: number, policy: Partial<SourcePolicy> = {}) {
  const source = { policy: { audiences: ['a', 'b'], ...policy }, profile, watched: [] };
  const given: number[] = [];
  const issuer: Issuer = {
    sources: new Map([['acme', source]]),
    builds: {
      find: () => Promise.reject(new Error('is not asked')),
      last: () => undefined,
      forget: () => undefined,
    },
    names: { confirm: async () => undefined, isKnown: () => true },
    signer: { sign: async () => 'signed' },
    budget: {
      take: async () => issued,
      giveBack: (_life, number) => void given.push(number),
      isAtHand: () => true,
      countAhead: () => undefined,
    },
    ...{ baseUrl: 'https://id.example', now: () => 0, clock: () => 0, newId: () => 'jti' },
  };
  return { issuer, given };
}

/** Issues one token of a build that has had so many; gives whether it was signed. */
async function issueAfter(issued: number, policy: Partial<SourcePolicy> = {}): Promise<string> {
  const answer = issueToken(running, { audience: 'a' }, issuerAfter(issued, policy).issuer);
  return await answer.then(
    ({ token }) => token,
    (error: Error) => error.message,
  );
}

test('the tokens of a build are counted also where policy does not say how many it may have', async () => {
  expect(await issueAfter(999)).toBe('signed');
  expect(await issueAfter(1000)).toBe('a build of this source may have 1000 tokens');
  expect(await issueAfter(1000, { max_tokens: 1001 })).toBe('signed');
});

test('a token that is not signed is not counted, nor are the others of its grant, which nobody gets', async () => {
  const { issuer, given } = issuerAfter(7);
  const signer: Issuer['signer'] = {
    sign: async ({ json }) => {
      if (json.includes('"aud":"b"')) throw new ServiceError('temporarily_unavailable', 'not now');
      return 'signed';
    },
  };
  const granter = { ...issuer, signer, requestUrl: 'https://id.example/token', requestTokenKey: KEY };
  const declaring = {
    ...running,
    build: { ...running.build, id_tokens: { A: { aud: 'a' }, B: { aud: 'b' } } },
  };

  await expect(issueToken(running, { audience: 'b' }, granter)).rejects.toThrow('not now');
  expect(given).toEqual([7]);
  await expect(grantTokens(declaring, granter, false)).rejects.toThrow('not now');
  expect(given).toEqual([7, 7, 7]);
  await expect(grantTokens(declaring, granter, true)).rejects.toThrow('not now');
  expect(given).toHaveLength(3);
});

test.each(['now', 'clock'] as const)(
  'a grant that took so long that its build may have ended goes to nobody: by the clock "%s", as the other may have stood still',
  async (which) => {
    const { issuer, given } = issuerAfter(7);
    let time = 0;
    const signer: Issuer['signer'] = {
      async sign() {
        time = 25_000;
        return 'signed';
      },
    };
    const granter = {
      ...{ ...issuer, signer, requestUrl: 'https://id.example/token', requestTokenKey: KEY },
      [which]: () => time,
    };
    const declaring = { ...running, build: { ...running.build, id_tokens: { A: { aud: 'a' } } } };

    await expect(grantTokens(declaring, granter, false)).rejects.toMatchObject({
      code: 'temporarily_unavailable',
    });
    expect(given).toEqual([7]);
    const asked = { now: time, clock: time };
    const { grant } = await grantTokens({ ...declaring, asked }, granter, false);
    expect(grant.data.id_tokens).toEqual({ A: 'signed' });
  },
);
