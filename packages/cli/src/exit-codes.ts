/** What each way to fail means to the shell; everything else is the exit code of the command that was run. */
export const EXIT_CODES = {
  usage: 2,
  configuration: 3,
  refused: 4,
  unreachable: 5,
  masking: 6,
  notRun: 126,
  notFound: 127,
} as const;

/** A way to fail that has an exit code of its own. */
export type Failure = keyof typeof EXIT_CODES;

/** A failure that is told to the user in one line, which says what to do; it never holds a token. */
export class CommandError extends Error {
  override readonly name = 'CommandError';
  readonly failure: Failure;
  /** The issuer's own code (`invalid_token`, …), where it was the issuer that said no. */
  readonly code: string | undefined;

  constructor(failure: Failure, message: string, options: { code?: string; cause?: unknown } = {}) {
    super(message, { cause: options.cause });
    this.failure = failure;
    this.code = options.code;
  }
}
