import { awsOperator } from './aws-condition.ts';
import type { AwsPolicy, AwsStatement } from './aws-policy.ts';
import { awsPieces } from './aws-text.ts';
import type { PolicyWarning, TokenKnowledge } from './policy-warning.ts';
import type { TokenClaims } from './token-of.ts';
import { holdsText, wildcardWarnings } from './wildcard.ts';

type Condition = AwsStatement['conditions'][number];

/** Takes a trust policy, a token's claims and what is known; gives everything by which it admits more, or less, than it looks like. */
export function awsWarnings(
  { version, statements }: AwsPolicy,
  claims: TokenClaims,
  known: TokenKnowledge,
): PolicyWarning[] {
  const provider = String(claims['iss'])
    .replace(/^https:\/\//, '')
    .toLowerCase();
  return statements.flatMap((statement, index) => {
    if (statement.effect !== 'Allow' || !isFor(statement, provider)) return [];
    const isAlone = statement.federated.length === 1;
    const warnings = [
      ...principalWarnings(statement),
      ...missingWarnings(statement, provider, version),
      ...statement.conditions.flatMap((condition) =>
        conditionWarnings(condition, provider, version, claims, known, isAlone),
      ),
    ];
    return warnings.map((warning) => ({ ...warning, what: `statement ${index + 1}: ${warning.what}` }));
  });
}

const more = (what: string, instead: string): PolicyWarning => ({ admits: 'more', what, instead });
const less = (what: string, instead: string): PolicyWarning => ({ admits: 'less', what, instead });

/** A statement for another provider says nothing of the token, and what it holds fast is none of ours. */
function isFor({ federated }: AwsStatement, provider: string): boolean {
  return federated.some(
    (arn) => arn.includes('*') || arn.split(':oidc-provider/')[1]?.toLowerCase() === provider,
  );
}

function principalWarnings({ federated }: AwsStatement): PolicyWarning[] {
  if (federated.some((arn) => arn.includes('*')))
    return [more('its Principal is every provider of the account', 'name the one provider by its ARN')];
  if (federated.length < 2) return [];
  return [
    less(
      `its Principal names ${federated.length} providers, each of which gives keys of its own only: a condition on the sub of one is never met by a token of another`,
      'write a statement for each provider, with conditions on its own sub and aud',
    ),
  ];
}

function missingWarnings({ conditions }: AwsStatement, provider: string, version: string): PolicyWarning[] {
  const holds = (name: string) =>
    conditions.some(({ operator, key, expected }) => {
      const { base, ifExists, set } = awsOperator(operator);
      const isPositive = /^string(equals|like|equalsignorecase)$/.test(base) && !ifExists && set !== 'all';
      const isHeld = (text: string) => base !== 'stringlike' || holdsText(awsPieces(text, true, version));
      return isPositive && key.toLowerCase() === `${provider}:${name}` && expected.every(isHeld);
    });
  return [
    ...(holds('sub')
      ? []
      : [
          more(
            'nothing holds sub fast: it admits every build of the issuer',
            `add StringEquals "${provider}:sub"`,
          ),
        ]),
    ...(holds('aud') || holds('oaud')
      ? []
      : [
          more(
            'nothing holds aud fast: it admits tokens that were meant for somebody else',
            `add StringEquals "${provider}:aud"`,
          ),
        ]),
  ];
}

function conditionWarnings(
  { operator, key, expected }: Condition,
  provider: string,
  version: string,
  claims: TokenClaims,
  known: TokenKnowledge,
  isAlone: boolean,
): PolicyWarning[] {
  const { base } = awsOperator(operator);
  const name = key.toLowerCase();
  const like = base === 'stringlike';
  const patterns = expected.map((text) => ({ text, pieces: awsPieces(text, true, version) }));
  const isWild = patterns.some(({ pieces }) => pieces.some((piece) => 'wild' in piece));
  return [
    ...keyWarnings(key, provider, isAlone),
    ...operatorWarnings(operator, key, expected),
    ...(version !== '2012-10-17' && expected.some((text) => text.includes('${'))
      ? [
          less(
            `${key} has a variable, which a policy of version ${version} does not know`,
            'use version 2012-10-17',
          ),
        ]
      : []),
    ...(like && name === `${provider}:sub`
      ? patterns.flatMap(({ text, pieces }) =>
          wildcardWarnings(operator, text, pieces, String(claims['sub']), known),
        )
      : []),
    ...(like && name !== `${provider}:sub` && isWild
      ? [more(`${operator} ${key} leaves a part open`, 'write the value out with StringEquals')]
      : []),
    ...tagWarnings(key, known),
  ];
}

function operatorWarnings(operator: string, key: string, expected: readonly string[]): PolicyWarning[] {
  const { base, ifExists, set } = awsOperator(operator);
  return [
    ...(set === 'all'
      ? [
          more(
            `${operator} ${key} is met where the token has no such value`,
            'use the operator without ForAllValues',
          ),
        ]
      : []),
    ...(ifExists && set === undefined
      ? [
          more(
            `${operator} ${key} is met where the token has no such value`,
            'use the operator without IfExists',
          ),
        ]
      : []),
    ...(base.startsWith('stringnot')
      ? [more(`${operator} ${key} only says what is not admitted`, 'say what is, with StringEquals')]
      : []),
    ...(base.endsWith('ignorecase')
      ? [more(`${operator} ${key} takes names that differ by case, which are others`, 'use StringEquals')]
      : []),
    ...(base === 'stringequals' &&
    expected.some((text) => (/:sub$/i.test(key) ? /[*?]/ : /\*/).test(text.replace(/\$\{.\}/g, '')))
      ? [
          less(
            `${operator} ${key} takes * and ? for themselves and is never met`,
            'use StringLike, and see what it admits',
          ),
        ]
      : []),
  ];
}

function keyWarnings(key: string, provider: string, isAlone: boolean): PolicyWarning[] {
  const name = key.toLowerCase();
  const claim = name.startsWith(`${provider}:`) ? name.slice(provider.length + 1) : undefined;
  if (claim !== undefined && !['sub', 'aud', 'oaud', 'amr'].includes(claim))
    return [
      less(
        `${key} is never there: for an issuer of your own AWS gives sub, aud, amr and, with azp, oaud`,
        'use sub, or a session tag with aws:RequestTag',
      ),
    ];
  if (isAlone && claim === undefined && /:(sub|aud)$/.test(name))
    return [
      less(
        `${key} is of another provider than ${provider}, and never there`,
        `use ${provider}:${name.split(':').at(-1)}`,
      ),
    ];
  return [];
}

function tagWarnings(key: string, known: TokenKnowledge): PolicyWarning[] {
  const tag = /^aws:requesttag\/(.*)$/i.exec(key)?.[1];
  if (tag === undefined || !known.isUserControlled(tag)) return [];
  return [
    more(
      `${key} is a claim that whoever can push or name something decides`,
      'hold an immutable id fast beside it',
    ),
  ];
}
