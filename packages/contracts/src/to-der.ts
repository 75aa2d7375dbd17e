/** Bytes of R and of S. */
const SIDE = 32;
const SEQUENCE = 0x30;
const INTEGER = 0x02;
/** Longest form: two integers of 33 bytes, and what stands before each and before both. */
const MOST_BYTES = 2 + 2 * (2 + SIDE + 1);

/**
 * Takes an ES256 signature of 64 bytes as JWS has it, R and S (RFC 7518 §3.4); gives it in DER (RFC 3279 §2.2.3). By hand,
 * because Node 24 takes as long for this as for the verification itself.
 */
export function toDer(signature: Buffer): Buffer {
  const der = Buffer.allocUnsafe(MOST_BYTES);
  const end = putInteger(signature, SIDE, der, putInteger(signature, 0, der, 2));
  der[0] = SEQUENCE;
  der[1] = end - 2;
  return der.subarray(0, end);
}

/** Puts 32 bytes as an integer, without leading zeros but one before a high bit; gives where it ends. */
function putInteger(signature: Buffer, start: number, der: Buffer, at: number): number {
  const end = start + SIDE;
  let from = start;
  while (from < end - 1 && signature[from] === 0) from++;
  const zeros = (signature[from] as number) >> 7;
  der[at] = INTEGER;
  der[at + 1] = zeros + end - from;
  der[at + 2] = 0;
  signature.copy(der, at + 2 + zeros, from, end);
  return at + 2 + zeros + end - from;
}
