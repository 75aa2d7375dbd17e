/** Whether a policy admits a token, and by which of its conditions; undefined where a token alone does not tell. */
export type Verdict = { admitted: boolean | undefined; reasons: string[] };
