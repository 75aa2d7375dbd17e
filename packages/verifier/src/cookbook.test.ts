import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { isCanonicalJws } from '@mayfly/contracts/compact-jws';
import type { JWK } from 'jose';
import { expect, test } from 'vitest';
import { createVerifier } from './index.ts';
import { AUDIENCE, fakeIssuer, ISSUER } from './testing.ts';
import type { VerificationError } from './verification-error.ts';

const cookbook = fileURLToPath(new URL('../../../../shared/vectors/jose-cookbook/', import.meta.url));
const noCookbook = existsSync(cookbook)
  ? {}
  : { skip: true, meta: { skipped: 'the examples are not beside this repository' } };

declare module 'vitest' {
  interface TaskMeta {
    skipped?: string;
  }
}

type Example = { input: { key?: JWK; alg?: string }; output: { compact?: string } };

/** The compact forms of RFC 7520, RFC 7797 and RFC 8037, each by its file, with its key. */
function examples(): { file: string; token: string; key: JWK | undefined }[] {
  const files = ['jws', 'rfc7797', 'curve25519'].flatMap((folder) =>
    readdirSync(`${cookbook}${folder}`)
      .filter((file) => file.endsWith('.json'))
      .map((file) => `${folder}/${file}`),
  );
  return files.flatMap((file) => {
    const { input, output } = JSON.parse(readFileSync(`${cookbook}${file}`, 'utf8')) as Example;
    const key = input.key && { ...input.key, alg: input.alg as string };
    return output.compact === undefined ? [] : [{ file, token: output.compact, key }];
  });
}

/** What is no compact JWS of three full parts: a detached payload, a payload that is not encoded, an encrypted one. */
const OTHERS = [
  'jws/4_5.signature_with_detached_content.json',
  'rfc7797/hmac-sha2_b64_false.json',
  'curve25519/ecdh-es.json',
];

test('of the examples of RFC 7520 each JWS of three parts is in its one form', noCookbook, () => {
  const all = examples();

  expect(all.length).toBeGreaterThanOrEqual(8);
  for (const { file, token } of all)
    expect([file, isCanonicalJws(token)]).toEqual([file, !OTHERS.includes(file)]);
});

test("none of them is an ID token, were its key the issuer's own", noCookbook, async () => {
  const issuer = await fakeIssuer();
  const all = examples();
  issuer.keys = [issuer.signing.jwk, ...all.flatMap(({ key }) => key ?? [])];
  using verifier = createVerifier({ issuer: ISSUER, audience: AUDIENCE, fetch: issuer.fetch });
  await verifier.verify(await issuer.sign());

  for (const { file, token } of all) {
    const code = await verifier.verify(token).then(
      () => 'taken',
      (error: VerificationError) => error.code,
    );
    expect([file, code]).toEqual([file, OTHERS.includes(file) ? 'malformed' : 'wrong_type']);
  }
});
