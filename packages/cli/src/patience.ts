const FIRST_WAIT_MS = 200;
const LONGEST_WAIT_MS = 5_000;
const ANSWER_WITHIN_MS = 10_000;

/** With less than this left nothing is tried any more, ms: what is cut off may have been done, and says less than what was answered. */
const LEAST_TRY_MS = 500;

/** Says whether there is no time for another try after a wait, ms. */
export function isTooLate(waitMs: number, giveUpAt: number): boolean {
  return Date.now() + waitMs + LEAST_TRY_MS > giveUpAt;
}

/** How long one try may take, ms: with one try only, ten seconds; else no longer than all of them may together. */
export function answerWithin(timeoutMs: number, giveUpAt: number): number {
  if (timeoutMs === 0) return ANSWER_WITHIN_MS;
  return Math.max(1, Math.min(ANSWER_WITHIN_MS, giveUpAt - Date.now()));
}

/** How long to wait before another try, ms: longer each time, and as long as `Retry-After` says. */
export function waitBefore(attempt: number, retryAfter: string | null | undefined): number {
  const asked = Number(retryAfter ?? 0) * 1000 || 0;
  const own = Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** attempt) * (0.5 + Math.random() / 2);
  return Math.max(asked, own);
}

/** The longest wait of what goes on for as long as a step runs, ms. */
const LONGEST_BACK_OFF_MS = 30_000;

/** How long to wait after so many failures in a row, ms. */
export function backOff(failures: number, chance: number): number {
  return Math.min(LONGEST_BACK_OFF_MS, 500 * 2 ** failures) * (0.5 + chance / 2);
}
