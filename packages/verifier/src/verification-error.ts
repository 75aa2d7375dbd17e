const MESSAGES = {
  malformed: 'the token is not a compact JWS in its one form',
  wrong_type: 'the token is not an ID token',
  untrusted_key: 'the issuer has no such key for this algorithm',
  bad_signature: 'the signature is not good',
  wrong_issuer: 'the token is from another issuer',
  wrong_audience: 'the token is meant for someone else',
  expired: 'the token has expired',
  not_yet_valid: 'the token is not valid yet',
  build_not_running: 'the build of the token does not run',
  cannot_know: 'it cannot be known whether the token is good',
} as const;

/** Which check a token failed. */
export type VerificationCode = keyof typeof MESSAGES;

/** A token was not taken: `code` says which check it failed, the message never what it said. */
export class VerificationError extends Error {
  override readonly name = 'VerificationError';
  readonly code: VerificationCode;

  constructor(code: VerificationCode, options?: { cause?: unknown }) {
    super(MESSAGES[code], options);
    this.code = code;
  }
}

/** Gives the error for a check that failed. */
export function refuse(code: VerificationCode, cause?: unknown): VerificationError {
  return new VerificationError(code, cause === undefined ? {} : { cause });
}
