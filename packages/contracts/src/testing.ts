import { flipS, hasOnlySignature } from './low-s.ts';

/** Takes an ES256 token; gives the other one that ECDSA takes for as good. */
export function twinOf(token: string): string {
  const end = token.lastIndexOf('.') + 1;
  const signature = Buffer.from(token.slice(end), 'base64url');
  flipS(signature);
  return token.slice(0, end) + signature.toString('base64url');
}

/** Takes a token that a library signed, which writes either S; gives the one that is ours. */
export function withLowS(token: string, alg = 'ES256'): string {
  return hasOnlySignature(token, alg) ? token : twinOf(token);
}
