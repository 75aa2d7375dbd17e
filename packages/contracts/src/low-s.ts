/** The order n of the group of P-256 (FIPS 186-5, SP 800-186 §3.2.1.3), and half of it, rounded down. */
const ORDER = Buffer.from('ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551', 'hex');
const HALF = Buffer.from('7fffffff800000007fffffffffffffffde737d56d38bcf4279dce5617e3192a8', 'hex');
const BYTES = 32;

/**
 * Takes an ES256 signature as JWS has it, R and S (RFC 7518 §3.4); says whether S is in the lower half. ECDSA takes
 * n − S for as good as S, so that whoever sees a token can write another with the same claims; ours have the lower.
 */
export function isLowS(signature: Uint8Array): boolean {
  for (let at = 0; at < BYTES; at++) {
    const difference = (signature[BYTES + at] as number) - (HALF[at] as number);
    if (difference !== 0) return difference < 0;
  }
  return true;
}

/** Puts n − S in the place of S: the other signature that is as good. */
export function flipS(signature: Uint8Array): void {
  let borrow = 0;
  for (let at = BYTES - 1; at >= 0; at--) {
    const difference = (ORDER[at] as number) - (signature[BYTES + at] as number) - borrow;
    borrow = difference < 0 ? 1 : 0;
    signature[BYTES + at] = difference & 0xff;
  }
}

/**
 * Says whether a compact JWS has the one signature of the two that an algorithm may allow. To be asked before the
 * signature is checked: it costs next to nothing.
 */
export function hasOnlySignature(token: string, alg: string): boolean {
  return alg !== 'ES256' || isLowS(Buffer.from(token.slice(token.lastIndexOf('.') + 1), 'base64url'));
}
