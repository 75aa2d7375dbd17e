import { ServiceError } from '@mayfly/contracts/errors';

/** One statement of a trust policy, its elements as lists. */
export type AwsStatement = {
  effect: 'Allow' | 'Deny';
  actions: string[];
  /** ARNs of the providers, `*`, or empty where the principal is not federated. */
  federated: string[];
  conditions: { operator: string; key: string; expected: string[] }[];
};

/** A trust policy of an IAM role, read. */
export type AwsPolicy = { version: string; statements: AwsStatement[] };

/** Takes JSON; gives the trust policy. Throws a ServiceError that says what is not read here, and what to give. */
export function readAwsPolicy(value: unknown): AwsPolicy {
  const { Version = '2008-10-17', Statement } = record(value, 'the policy');
  const statements = [Statement ?? fault('the policy has no Statement')].flat();
  return { version: String(Version), statements: statements.map(readStatement) };
}

function readStatement(value: unknown, index: number): AwsStatement {
  const name = `statement ${index + 1}`;
  const statement = record(value, name);
  for (const element of ['NotPrincipal', 'NotAction', 'Resource'])
    if (element in statement)
      fault(`${name} has ${element}, which the trust policy of a role for tokens has not`);
  const { Effect, Action, Principal, Condition = {} } = statement;
  if (Effect !== 'Allow' && Effect !== 'Deny') fault(`${name} has an Effect that is neither Allow nor Deny`);
  return {
    effect: Effect as 'Allow' | 'Deny',
    actions: texts(Action, `the Action of ${name}`),
    federated: federatedOf(Principal, name),
    conditions: Object.entries(record(Condition, `the Condition of ${name}`)).flatMap(([operator, keys]) =>
      Object.entries(record(keys, `${operator} of ${name}`)).map(([key, expected]) => ({
        operator,
        key,
        expected: texts(expected, `${key} of ${name}`),
      })),
    ),
  };
}

function federatedOf(principal: unknown, name: string): string[] {
  if (principal === '*') return ['*'];
  const { Federated, AWS } = record(principal, `the Principal of ${name}`);
  if (Federated === undefined) return [AWS].flat().includes('*') ? ['*'] : [];
  return texts(Federated, `Principal.Federated of ${name}`);
}

function texts(value: unknown, name: string): string[] {
  return [value].flat().map((one) => {
    if (!['string', 'boolean', 'number'].includes(typeof one))
      fault(`${name} must be text or a list of texts`);
    return String(one);
  });
}

function record(value: unknown, name: string): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) fault(`${name} must be an object`);
  return value as Record<string, unknown>;
}

function fault(message: string): never {
  throw new ServiceError(
    'invalid_request',
    `${message}: give the role's trust policy (aws iam get-role --query Role.AssumeRolePolicyDocument)`,
  );
}
