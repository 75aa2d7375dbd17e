import { awsMatches, awsPieces } from './aws-text.ts';

/** The outcome of one condition: met or not, or undefined where it cannot be told from a token. */
export type AwsOutcome = {
  operator: string;
  key: string;
  expected: string[];
  met: boolean | undefined;
  why: string;
};

/** The values of a request's condition keys, by their lower-case names; undefined for a key that it does not have. */
export type AwsContext = (key: string) => readonly string[] | undefined;

type Comparison = { isNegated: boolean; isLike: boolean; ignoreCase: boolean };

const COMPARISONS: Readonly<Record<string, Comparison>> = {
  stringequals: { isNegated: false, isLike: false, ignoreCase: false },
  stringnotequals: { isNegated: true, isLike: false, ignoreCase: false },
  stringequalsignorecase: { isNegated: false, isLike: false, ignoreCase: true },
  stringnotequalsignorecase: { isNegated: true, isLike: false, ignoreCase: true },
  stringlike: { isNegated: false, isLike: true, ignoreCase: false },
  stringnotlike: { isNegated: true, isLike: true, ignoreCase: false },
};

/** An operator taken apart: `ForAllValues:StringLikeIfExists`. */
export type AwsOperator = { set: 'all' | 'any' | undefined; base: string; ifExists: boolean };

/** Takes the name of an operator; gives its parts, in lower case. */
export function awsOperator(name: string): AwsOperator {
  const match = /^(?:for(all|any)values?:)?(.*?)(ifexists)?$/i.exec(name);
  const set = match?.[1]?.toLowerCase() as 'all' | 'any' | undefined;
  return { set, base: (match?.[2] ?? '').toLowerCase(), ifExists: match?.[3] !== undefined };
}

/** Takes one condition of a statement and the request's context; gives its outcome, as IAM evaluates it. */
export function awsCondition(
  operator: string,
  key: string,
  expected: string[],
  context: AwsContext,
  version: string,
): AwsOutcome {
  const outcome = (met: boolean | undefined, why: string): AwsOutcome => ({
    operator,
    key,
    expected,
    met,
    why,
  });
  const { set, base, ifExists } = awsOperator(operator);
  if (!isKnownKey(key)) return outcome(undefined, `what ${key} is cannot be told from a token`);
  const values = context(key.toLowerCase());
  if (base === 'null') {
    const isAbsent = String(values === undefined);
    return outcome(expected.includes(isAbsent), `${key} is ${values ? 'there' : 'not there'}`);
  }
  const comparison = COMPARISONS[base];
  if (!comparison) return outcome(undefined, `the operator ${operator} is not evaluated here`);
  if (values === undefined)
    return outcome(metWithout(set, ifExists, comparison), `the token gives no ${key}`);
  const met = compare(values, expected, comparison, set, version);
  return outcome(met, `${key} is ${values.join(', ')}`);
}

/** Keys of the token itself, whatever the provider, and those of its session tags. */
function isKnownKey(key: string): boolean {
  return (
    !/^(aws|sts|saml|cognito[^:]*):/i.test(key) ||
    /^aws:(requesttag\/|tagkeys$|federatedprovider$)/i.test(key)
  );
}

function metWithout(set: AwsOperator['set'], ifExists: boolean, { isNegated }: Comparison): boolean {
  if (set !== undefined) return set === 'all';
  return ifExists || isNegated;
}

function compare(
  values: readonly string[],
  expected: readonly string[],
  { isNegated, isLike, ignoreCase }: Comparison,
  set: AwsOperator['set'],
  version: string,
): boolean | undefined {
  const patterns = expected.map((text) => awsPieces(text, isLike, version));
  const each = values.map((value) => {
    const found = patterns.map((pieces) => awsMatches(pieces, value, ignoreCase));
    const any = found.includes(true) ? true : found.includes(undefined) ? undefined : false;
    return any === undefined ? undefined : any !== isNegated;
  });
  if (each.includes(undefined)) return undefined;
  return set === 'any' || (set === undefined && !isNegated) ? each.includes(true) : !each.includes(false);
}
