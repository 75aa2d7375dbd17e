import { ServiceError } from '@mayfly/contracts/errors';
import { type AwsPolicy, readAwsPolicy } from './aws-policy.ts';
import { readVaultRole, type VaultRole } from './vault-role.ts';

/** A policy of a relying party, read. */
export type TrustPolicy = { language: 'aws'; policy: AwsPolicy } | { language: 'vault'; role: VaultRole };

const GIVE =
  'give an AWS trust policy (aws iam get-role --role-name NAME), or a role of Vault (vault read -format=json auth/jwt/role/NAME)';
const USUAL_AWS_AUDIENCE = 'sts.amazonaws.com';

/**
 * Takes the text of an AWS trust policy, also as `aws iam get-role` prints it or IAM's API gives it, or of a role of
 * Vault's JWT login; gives it read. Throws a ServiceError that says what to give for another text.
 */
export function readTrustPolicy(text: string): TrustPolicy {
  const value = unwrapped(parse(text));
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    fault('the policy is no JSON object');
  if ('Statement' in value) return { language: 'aws', policy: readAwsPolicy(value) };
  const names = Object.keys('data' in value && value.data instanceof Object ? value.data : value);
  if (!names.some((name) => /^(user_claim|role_type|bound_.*)$/.test(name)))
    fault('the policy has neither the Statement of an AWS trust policy nor the user_claim of a Vault role');
  return { language: 'vault', role: readVaultRole(value) };
}

/**
 * Takes a policy and the audiences that a build declares; gives the audience that its token is for where nobody says,
 * and why. Throws a ServiceError where that is not clear.
 */
export function usualAudience(
  policy: TrustPolicy,
  declared: readonly string[],
): { audience: string; because: string } | undefined {
  if (policy.language === 'aws') {
    const own = declared.find((one) => one.startsWith(USUAL_AWS_AUDIENCE));
    if (own !== undefined) return { audience: own, because: 'which the build declares for AWS' };
    return { audience: USUAL_AWS_AUDIENCE, because: 'the usual one of AWS' };
  }
  const { boundAudiences } = policy.role;
  const fitting = boundAudiences.filter((one) => declared.includes(one));
  const [only, ...more] = fitting.length > 0 ? fitting : boundAudiences;
  if (more.length > 0)
    throw new ServiceError(
      'invalid_target',
      `the role has several bound_audiences (${boundAudiences.join(', ')}): say with --audience which the token is for`,
    );
  if (only !== undefined) return { audience: only, because: 'the one of bound_audiences' };
  const [own, ...others] = declared;
  return own === undefined || others.length > 0
    ? undefined
    : { audience: own, because: 'which the build declares' };
}

function parse(text: string): unknown {
  const plain = text.replace(/^\uFEFF/, '').trim();
  if (plain === '') fault('the policy is empty');
  try {
    return JSON.parse(plain.startsWith('%') ? decodeURIComponent(plain) : plain);
  } catch (cause) {
    throw new ServiceError('invalid_request', `the policy is not JSON: ${GIVE}`, { cause });
  }
}

/** IAM's API gives the document percent-encoded (RFC 3986), its command line within the role. */
function unwrapped(value: unknown): unknown {
  if (typeof value === 'string') return unwrapped(parse(value));
  if (typeof value !== 'object' || value === null) return value;
  const { Role, AssumeRolePolicyDocument } = value as Record<string, unknown>;
  const inner = Role ?? AssumeRolePolicyDocument;
  return inner === undefined ? value : unwrapped(inner);
}

function fault(message: string): never {
  throw new ServiceError('invalid_request', `${message}: ${GIVE}`);
}
