import type { SourcePolicy } from '@mayfly/contracts/policy';
import { entryFor } from './algorithm.ts';

/** What relying parties say that they take, bytes: Google's mapped attributes, Microsoft's federated credentials. */
const KNOWN_LIMITS: Readonly<Record<string, number>> = {
  'https://iam.googleapis.com/*': 127,
  '//iam.googleapis.com/*': 127,
  'api://AzureADTokenExchange*': 600,
};

/** Takes a source's policy and the audiences of one token; gives the longest `sub` that all of them take, if known. */
export function subjectLimit(policy: SourcePolicy, audiences: readonly string[]): number | undefined {
  const limits = audiences.flatMap((audience) => {
    const limit = entryFor(policy.subject_limits, audience) ?? entryFor(KNOWN_LIMITS, audience);
    return limit === undefined ? [] : [limit];
  });
  return limits.length > 0 ? Math.min(...limits) : undefined;
}
