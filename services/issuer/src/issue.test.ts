import type { SourcePolicy } from '@mayfly/contracts/policy';
import { PROFILES_DIR, readProfile } from '@mayfly/profiles/read';
import { expect, test } from 'vitest';
import { type Issuer, issueToken, type Running } from './issue.ts';

const profile = await readProfile(PROFILES_DIR, 'n8n');
const running: Running = {
  stream: '2026-11-20T06:00:00Z',
  build: {
    ...{ source: 'acme', attempt: 1, seq: 1, digest: 'd', started_at: 0, deadline: 3_600_000 },
    build: { id: '1', workflow: { id: 'w', name: 'nightly' }, execution: { id: '2' } },
  },
};

/** Issues one token of a build that has had so many; gives whether it was signed. */
async function issueAfter(issued: number, policy: Partial<SourcePolicy> = {}): Promise<string> {
  const source = { policy: { audiences: ['a'], ...policy }, profile, watched: [] };
  const issuer: Issuer = {
    sources: new Map([['acme', source]]),
    builds: { find: () => Promise.reject(new Error('is not asked')) },
    names: { confirm: async () => undefined },
    signer: { sign: async () => 'signed' },
    budget: { take: async () => issued },
    ...{ baseUrl: 'https://id.example', now: () => 0, newId: () => 'jti' },
  };
  const answer = issueToken(running, { audience: 'a' }, issuer);
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
