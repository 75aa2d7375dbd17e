/** What is read of a token without verifying it: whom it is for, and between when and when it lives. */
export type TokenClaims = { audiences: string[]; issuedAt: number; expiresAt: number };

/** Takes a token that the issuer gave us; gives its claims, or undefined where it cannot be read. */
export function readClaims(token: string): TokenClaims | undefined {
  try {
    const claims = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()) as Record<
      string,
      unknown
    >;
    const { aud, iat, exp } = claims;
    const audiences = (Array.isArray(aud) ? aud : [aud]).filter((each) => typeof each === 'string');
    if (audiences.length === 0 || typeof iat !== 'number' || typeof exp !== 'number') return undefined;
    return { audiences, issuedAt: iat, expiresAt: exp };
  } catch {
    return undefined;
  }
}
