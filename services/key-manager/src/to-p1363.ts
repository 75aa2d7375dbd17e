import { flipS, isLowS } from '@mayfly/contracts/low-s';

/**
 * Takes an ECDSA P-256 signature in DER (RFC 3279 §2.2.3); gives it as JWS has it, R and S of 32 bytes (RFC 7518 §3.4),
 * with the lower of the two S that are as good: one token is one string. By hand, because Node 24 takes as long for this
 * as for the signature itself.
 */
export function toP1363(der: Buffer): Buffer {
  const out = Buffer.alloc(64);
  const rLength = der[3] as number;
  putInteger(der, 4, rLength, out, 32);
  putInteger(der, 6 + rLength, der[5 + rLength] as number, out, 64);
  if (!isLowS(out)) flipS(out);
  return out;
}

/** Copies an integer so that it ends at `end`; DER drops its leading zeros, and adds one before a high bit. */
function putInteger(der: Buffer, start: number, length: number, out: Buffer, end: number): void {
  const spare = Math.max(0, length - 32);
  der.copy(out, end - length + spare, start + spare, start + length);
}
