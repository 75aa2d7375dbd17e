/** Something about a token that a token of ours would not have, or that somebody does not take; and what to do. */
export type Oddity = { what: string; next: string };

/** Takes what is odd and what to do; gives the oddity. */
export function odd(what: string, next: string): Oddity {
  return { what, next };
}
