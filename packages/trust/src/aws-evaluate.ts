import { TAGS_CLAIM } from '@mayfly/profiles/standard-claims';
import { type AwsContext, type AwsOutcome, awsCondition } from './aws-condition.ts';
import type { AwsPolicy, AwsStatement } from './aws-policy.ts';
import { awsMatches, awsPieces } from './aws-text.ts';
import type { TokenClaims } from './token-of.ts';
import type { Verdict } from './verdict.ts';

const ASSUME = 'sts:AssumeRoleWithWebIdentity';
const TAG = 'sts:TagSession';

/**
 * Takes a trust policy and the claims of a token; says whether AssumeRoleWithWebIdentity would succeed with it, as STS
 * and IAM decide: the token itself, then each action that the token needs, a Deny before any Allow.
 */
export function evaluateAws(policy: AwsPolicy, claims: TokenClaims): Verdict {
  const refusal = refusedBySts(claims);
  if (refusal) return { admitted: false, reasons: [refusal] };
  const actions = claims[TAGS_CLAIM] === undefined ? [ASSUME] : [ASSUME, TAG];
  const verdicts = actions.map((action) => evaluateAction(policy, action, claims));
  const worst =
    verdicts.find(({ admitted }) => admitted === false) ??
    verdicts.find(({ admitted }) => admitted === undefined);
  return worst ?? { admitted: true, reasons: verdicts.flatMap(({ reasons }) => reasons) };
}

function refusedBySts({ iss, sub, aud, azp, exp, iat }: TokenClaims): string | undefined {
  if (typeof iss !== 'string' || !iss.startsWith('https://')) return 'STS takes tokens of https issuers only';
  for (const [name, value] of Object.entries({ sub, aud, exp, iat }))
    if (value === undefined || value === '') return `STS wants the claim ${name}, which the token has not`;
  if (Array.isArray(aud) && aud.length > 1 && azp === undefined)
    return 'STS takes no token with several audiences and no azp';
  return undefined;
}

function evaluateAction({ version, statements }: AwsPolicy, action: string, claims: TokenClaims): Verdict {
  const judged = statements.map((statement, index) =>
    judgeStatement(statement, index, action, claims, version),
  );
  const denied = judged.find(({ effect, applies }) => effect === 'Deny' && applies === true);
  if (denied)
    return { admitted: false, reasons: [`statement ${denied.number} denies: ${denied.reasons.join('; ')}`] };
  const allowed = judged.find(({ effect, applies }) => effect === 'Allow' && applies === true);
  const unsure = judged.filter(({ applies }) => applies === undefined);
  if (allowed && !unsure.some(({ effect }) => effect === 'Deny'))
    return {
      admitted: true,
      reasons: [`statement ${allowed.number} allows ${action}: ${allowed.reasons.join('; ')}`],
    };
  const open = allowed ? unsure.filter(({ effect }) => effect === 'Deny') : unsure;
  if (open.length > 0)
    return {
      admitted: undefined,
      reasons: open.flatMap(({ number, reasons }) => `statement ${number}: ${reasons.join('; ')}`),
    };
  return {
    admitted: false,
    reasons: judged.map(
      ({ number, reasons }) => `statement ${number} does not allow ${action}: ${reasons.join('; ')}`,
    ),
  };
}

type Judged = { number: number; effect: 'Allow' | 'Deny'; applies: boolean | undefined; reasons: string[] };

function judgeStatement(
  { effect, actions, federated, conditions }: AwsStatement,
  index: number,
  action: string,
  claims: TokenClaims,
  version: string,
): Judged {
  const judged = (applies: boolean | undefined, reasons: string[]) => ({
    number: index + 1,
    effect,
    applies,
    reasons,
  });
  if (!actions.some((pattern) => awsMatches(awsPieces(pattern, true, ''), action, true)))
    return judged(false, [`its Action is ${actions.join(', ')}`]);
  const provider = String(claims['iss']).slice('https://'.length);
  if (!federated.some((arn) => arn === '*' || arn.split(':oidc-provider/')[1] === provider))
    return judged(false, [`its Principal is not the provider ${provider}`]);
  const context = contextOf(claims, provider);
  const outcomes = conditions.map(({ operator, key, expected }) =>
    awsCondition(operator, key, expected, context, version),
  );
  const unmet = outcomes.filter(({ met }) => met === false);
  if (unmet.length > 0) return judged(false, unmet.map(tell));
  const open = outcomes.filter(({ met }) => met === undefined);
  if (open.length > 0)
    return judged(
      undefined,
      open.map(({ why }) => why),
    );
  return judged(true, outcomes.length > 0 ? outcomes.map(tell) : ['it has no condition']);
}

function tell({ operator, key, expected, met, why }: AwsOutcome): string {
  return `${operator} ${key} ${expected.join(' | ')} is ${met ? '' : 'not '}met (${why})`;
}

/** The keys that AWS gives for an issuer of one's own. With `azp`, that is the audience, and `oaud` what `aud` says. */
function contextOf(claims: TokenClaims, provider: string): AwsContext {
  const { sub, aud, azp, amr } = claims;
  const tags = (claims[TAGS_CLAIM] as { principal_tags?: Record<string, string | string[]> } | undefined)
    ?.principal_tags;
  const list = (value: unknown) => (value === undefined ? undefined : [value].flat().map(String));
  const name = provider.toLowerCase();
  const keys = new Map<string, string[] | undefined>([
    [`${name}:sub`, list(sub)],
    [`${name}:aud`, list(azp ?? aud)],
    [`${name}:oaud`, azp === undefined ? undefined : list(aud)],
    [`${name}:amr`, list(amr)],
    ['aws:tagkeys', tags && Object.keys(tags)],
    ...Object.entries(tags ?? {}).map(([key, value]): [string, string[] | undefined] => [
      `aws:requesttag/${key.toLowerCase()}`,
      list(value),
    ]),
  ]);
  return (key) => keys.get(key);
}
