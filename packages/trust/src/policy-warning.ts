/** Something by which a policy admits more than it looks like, or less than was meant; and what to do. */
export type PolicyWarning = { admits: 'more' | 'less'; what: string; instead: string };

/** What is known of the tokens that a policy is for, beside one token. */
export type TokenKnowledge = {
  /** The parts of the token's subject, where its event is known. */
  parts?: readonly { text: string; path?: string; trust?: string }[];
  /** Says whether whoever can push or name something decides a claim. */
  isUserControlled(claim: string): boolean;
  /** The facts that a claim is made from, in any profile that the token may be of. */
  pathsOf(claim: string): readonly string[];
};
