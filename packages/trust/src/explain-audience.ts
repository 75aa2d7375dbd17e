import { ServiceError } from '@mayfly/contracts/errors';
import type { BuildStarted } from '@mayfly/contracts/events';
import { audiencesFor, expandAudience, matches } from '@mayfly/profiles/audience';
import type { Deployment } from './deployment.ts';
import { keyFor, lineIn } from './explain-policy.ts';
import { nextStep } from './next-step.ts';
import { tokenOf, type Wish } from './token-of.ts';

/** Whether a build may have a token for an audience, by which line of `mayfly.yaml`; or why not, and what to do. */
export type AudienceVerdict = {
  audience: string | string[] | undefined;
  /** The environment variable for which the build declares it. */
  declared?: string;
  allowed: boolean;
  line: number | undefined;
  entry?: string;
  refusal?: { error: string; error_description: string; next: string };
};

/** Takes a deployment, an event, a wish and the time (s); says whether the token would be issued, as the issuer would. */
export function explainAudience(
  deployment: Deployment,
  event: BuildStarted,
  wish: Wish,
  now: number,
): AudienceVerdict {
  const { audience } = wish;
  const found = findEntry(deployment, event, audience);
  const line = found?.line ?? lineIn(deployment)('audiences');
  try {
    tokenOf(deployment, event, wish, now);
    return { audience, allowed: true, line, ...(found && { entry: found.entry }) };
  } catch (error) {
    if (!(error instanceof ServiceError)) throw error;
    const refusal = {
      error: error.code,
      error_description: error.message,
      next: nextStep(error, deployment, wish),
    };
    return {
      audience,
      allowed: false,
      line: lineOfRefusal(error, deployment, [audience ?? []].flat(), line),
      refusal,
    };
  }
}

function findEntry(deployment: Deployment, { data: { build } }: BuildStarted, asked: Wish['audience']) {
  const { policy } = deployment;
  const line = lineIn(deployment);
  const [first] = [asked ?? []].flat();
  if (first === undefined) return undefined;
  const text = expanded(first, build);
  const index = policy.audiences.findIndex((pattern) => matches(pattern, text));
  if (index >= 0) return { entry: policy.audiences[index] ?? '', line: line('audiences', String(index)) };
  const allowed = audiencesFor(policy, build);
  for (const [repository, list] of Object.entries(policy.repository_audiences ?? {})) {
    const at = list.findIndex((pattern) => allowed.includes(pattern) && matches(pattern, text));
    if (at >= 0)
      return {
        entry: `${list[at]} for ${repository}`,
        line: line('repository_audiences', repository, String(at)),
      };
  }
  return undefined;
}

function expanded(audience: string, build: BuildStarted['data']['build']): string {
  try {
    return expandAudience(audience, build);
  } catch {
    return audience;
  }
}

function lineOfRefusal(
  error: ServiceError,
  deployment: Deployment,
  audiences: readonly string[],
  fallback: number | undefined,
): number | undefined {
  const line = lineIn(deployment);
  if (/forks/.test(error.message)) return line('forks');
  if (/^subject has/.test(error.message)) return lineOfLimit(error, deployment, audiences);
  if (/unlike algorithms/.test(error.message))
    return audiences
      .map((one) => line('algorithms', keyFor(deployment, 'algorithms', one) ?? ''))
      .find((one) => one !== undefined);
  if (/^build is past/.test(error.message)) return line('build_timeout');
  if (/lifetime/.test(error.message)) return line('max_lifetime') ?? line('lifetime');
  if (/subject_claim/.test(error.message)) return line('subject_claims');
  if (/optional claim/.test(error.message)) return line('optional_claims');
  if (/session tag/.test(error.message)) return line('session_tags');
  return error.code === 'invalid_target' ? fallback : undefined;
}

/** The profile's own limit stands in no line, and neither do those that relying parties are known to have. */
function lineOfLimit(
  { message }: ServiceError,
  deployment: Deployment,
  audiences: readonly string[],
): number | undefined {
  const limits = deployment.policy.subject_limits ?? {};
  const keys = audiences.flatMap((one) => keyFor(deployment, 'subject_limits', one) ?? []);
  const key = keys.find((one) => message.includes(`may have ${limits[one]};`));
  return lineIn(deployment)('subject_limits', key ?? '');
}
