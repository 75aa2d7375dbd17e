import { generateKeyPairSync, randomBytes, sign } from 'node:crypto';

const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });

/** A token like the issuer's: signed for real, with a key that nobody trusts. */
export function testToken(claims: Record<string, unknown> = {}): string {
  const now = Math.floor(Date.now() / 1000);
  const body = {
    iss: 'https://id.example/ci',
    sub: 'repo:octo/hello:ref:refs/heads/main',
    aud: 'sts.amazonaws.com',
    iat: now,
    exp: now + 300,
    ...claims,
    jti: randomBytes(16).toString('hex'),
  };
  const segment = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const signed = `${segment({ alg: 'RS256', kid: randomBytes(32).toString('base64url'), typ: 'JWT' })}.${segment(body)}`;
  const signature = sign('sha256', Buffer.from(signed), privateKey);
  // A signature may begin or end like ordinary text, which then waits for a moment: not in tests.
  const isUnlikeText = (signature[0] ?? 0) > 0x7f && (signature.at(-1) ?? 0) > 0x7f;
  return isUnlikeText ? `${signed}.${signature.toString('base64url')}` : testToken(claims);
}

/** A request token of the issuer's form. */
export function testRequestToken(source = 'ci', id = '42'): string {
  const reference = Buffer.from(`${source}/1/${id}`).toString('base64url');
  return `mfr_${reference}_${randomBytes(32).toString('base64url')}`;
}
