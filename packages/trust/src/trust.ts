import type { Kind } from './kind-of-build.ts';
import type { TokenClaims } from './token-of.ts';
import type { Verdict } from './verdict.ts';

/** A text to paste, and where. */
export type TrustText = { title: string; language: 'json' | 'hcl' | 'sh' | 'yaml'; text: string };

/** What a policy could leave open: facts in its subject, and claims that it then holds no more. */
export type Opening = { paths: readonly string[]; without: readonly string[] };

/** A change to a policy, and what the relying party would say to a token under the whole policy once it is made. */
export type Widening = { change: string; judge(claims: TokenClaims): Verdict };

/** What makes one relying party admit one kind of build. */
export type Trust = {
  texts: TrustText[];
  /** The claims that these texts hold fast beside `sub`. */
  held: readonly string[];
  /** Takes what is to be left open; gives the change, undefined where the language cannot say it. */
  loosen(opening: Opening): Widening | undefined;
  /** Changes of another sort that somebody could think of. */
  widen: Widening[];
  /** Limits of the relying party that bear on this, and what its language cannot say. */
  notes: string[];
  /** What the relying party would say to a token under exactly these texts. */
  judge(claims: TokenClaims): Verdict;
};

/** Names of what is there already at the relying party; a placeholder in capitals stands for what is left out. */
export type TrustNames = Partial<
  Record<
    | 'account'
    | 'partition'
    | 'app'
    | 'role'
    | 'project'
    | 'pool'
    | 'provider'
    | 'name'
    | 'mount'
    | 'policies',
    string
  >
>;

/** One relying party: which audiences are meant for it, and how it is told whom to admit. */
export type Target = {
  summary: string;
  /** Its usual audience, if it has one, and how its audiences look. */
  audience: { usual?: string; fits: RegExp };
  /** Whether it compares whole subjects and nothing else, so that only another subject could widen it. */
  comparesSubjects?: true;
  make(kind: Kind, names: TrustNames): Trust;
};
