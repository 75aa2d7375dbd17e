import { ServiceError } from '@mayfly/contracts/errors';
import { claimValue } from './claim-value.ts';
import type { Facts } from './facts.ts';
import type { Profile } from './profile.ts';
import { ruleNamed } from './rule-named.ts';

const MOST_TAGS = 50;
const MOST_KEY_CHARACTERS = 128;
const MOST_VALUE_CHARACTERS = 256;
/** What STS takes in the keys and values of session tags. */
export const TAG_SIGNS = /^[\p{L}\p{Z}\p{N}_.:/=+\-@]*$/u;

type SessionTags = { principal_tags: Record<string, [string]> };

/**
 * Takes a profile, the names of some of its claims and the facts of a build; gives the claim that AWS reads session
 * tags from: each value as text, empty where the build has none. Throws a ServiceError (`invalid_request`) for more
 * than 50, for a name that is no claim, and for a key or value that AWS does not take: too long, or with other signs.
 */
export function sessionTags(profile: Profile, names: readonly string[], facts: Facts): SessionTags {
  const unique = new Set(names);
  if (unique.size > MOST_TAGS)
    throw new ServiceError('invalid_request', 'a token has at most 50 AWS session tags');
  const tags = [...unique].map((name): [string, [string]] => [name, [tagValue(profile, name, facts)]]);
  return { principal_tags: Object.fromEntries(tags) };
}

function tagValue(profile: Profile, name: string, facts: Facts): string {
  const rule = ruleNamed([...profile.claims, ...profile.optionalClaims], name);
  if (!rule || rule.type === 'object' || rule.type === 'list')
    throw new ServiceError(
      'invalid_request',
      `${name.slice(0, MOST_KEY_CHARACTERS)} is no claim that can be a session tag`,
    );
  const value = String(claimValue(rule, facts) ?? '');
  if (name.length > MOST_KEY_CHARACTERS || value.length > MOST_VALUE_CHARACTERS)
    throw new ServiceError(
      'invalid_request',
      `${name.slice(0, MOST_KEY_CHARACTERS)} is too long for a session tag`,
    );
  for (const [part, text] of [
    ['key', name],
    ['value', value],
  ] as const)
    if (!TAG_SIGNS.test(text) || (part === 'key' && /^aws:/i.test(text)))
      throw new ServiceError(
        'invalid_request',
        `${name} cannot be a tag for AWS: its ${part} is not of letters, digits, spaces and _.:/=+-@ alone, or begins with aws:`,
      );
  return value;
}
