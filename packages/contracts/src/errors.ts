type Row = { status: number; redeliver: boolean };

/** What every failure means: to an HTTP caller (status), and to JetStream (delivered again, or dead-lettered). */
export const ERRORS = {
  invalid_request: { status: 400, redeliver: false },
  invalid_target: { status: 400, redeliver: false },
  unsupported_grant_type: { status: 400, redeliver: false },
  invalid_token: { status: 401, redeliver: false },
  invalid_client: { status: 401, redeliver: false },
  access_denied: { status: 403, redeliver: false },
  not_found: { status: 404, redeliver: false },
  conflict: { status: 409, redeliver: false },
  payload_too_large: { status: 413, redeliver: false },
  unsupported_media_type: { status: 415, redeliver: false },
  slow_down: { status: 429, redeliver: true },
  server_error: { status: 500, redeliver: true },
  temporarily_unavailable: { status: 503, redeliver: true },
} as const satisfies Record<string, Row>;

/** The `error` of RFC 6749 §5.2, RFC 6750 §3.1, RFC 8707 §2, or one of ours in their manner. */
export type ErrorCode = keyof typeof ERRORS;

/** A failure with a meaning: `code` for programs, a constant message for people, the cause kept for the log. */
export class ServiceError extends Error {
  override readonly name = 'ServiceError';
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.code = code;
  }
}

/** Whether a message that failed with `error` is worth another delivery; an unknown error is a bug and is. */
export function isRedelivered(error: unknown): boolean {
  return error instanceof ServiceError ? ERRORS[error.code].redeliver : true;
}
