import { ServiceError } from '@mayfly/contracts/errors';
import type { FastifyRequest } from 'fastify';
import type { Wish } from './issue.ts';

/** What may be asked for, and whether several may be. */
const PARAMETERS: ReadonlyMap<string, 'one' | 'several'> = new Map([
  ['audience', 'several'],
  ['lifetime', 'one'],
  ['subject_claim', 'one'],
  ['claims', 'several'],
  ['aws_session_tags', 'several'],
]);
/** Stands in the address for tokens, and clients written for GitHub may send their own beside it: it means nothing. */
const IGNORED = 'api-version';

type Asked = ReadonlyMap<string, unknown>;

/**
 * Takes a request for a token; gives what it asks for, from the query or the body: `audience` (one or several),
 * `lifetime` in seconds, `subject_claim`, `claims` and `aws_session_tags`. Throws `invalid_request`, which names what is
 * unknown and what is there twice.
 */
export function wishOf({ query, body }: Pick<FastifyRequest, 'query' | 'body'>): Wish {
  const asked = askedIn(query, body);
  const audience = texts(asked, 'audience');
  const lifetime = oneText(asked, 'lifetime');
  const subjectClaim = oneText(asked, 'subject_claim');
  const optionalClaims = texts(asked, 'claims').flatMap(words);
  const awsSessionTags = texts(asked, 'aws_session_tags').flatMap(words);
  // A list of one is still a list, for profiles whose `aud` is as it was asked for.
  const isList = Array.isArray(asked.get('audience'));
  return {
    ...(audience.length > 0 ? { audience: isList ? audience : (audience[0] as string) } : {}),
    ...(lifetime === undefined ? {} : { lifetimeSeconds: wholeNumber(lifetime) }),
    ...(subjectClaim === undefined ? {} : { subjectClaim }),
    ...(optionalClaims.length > 0 ? { optionalClaims } : {}),
    ...(awsSessionTags.length > 0 ? { awsSessionTags } : {}),
  };
}

function askedIn(query: unknown, body: unknown): Asked {
  if ((typeof body !== 'object' && body !== undefined) || Array.isArray(body))
    throw new ServiceError('invalid_request', 'the body must be an object');
  const all = [query, body].flatMap((part) => Object.entries(part ?? {}));
  const asked = new Map<string, unknown>();
  for (const [name, value] of all) {
    if (name === IGNORED) continue;
    if (!PARAMETERS.has(name)) {
      const allowed = [...PARAMETERS.keys()].join(', ');
      throw new ServiceError('invalid_request', `${shown(name)} cannot be asked for; allowed: ${allowed}`);
    }
    const isRepeated = PARAMETERS.get(name) === 'one' && Array.isArray(value) && value.length > 1;
    if (asked.has(name) || isRepeated)
      throw new ServiceError('invalid_request', `${name} is given more than once`);
    asked.set(name, value);
  }
  return asked;
}

/** What is long enough to be a token stands in no message: messages are logged. */
const shown = (name: string) => (/^[\w.[\]-]{1,32}$/.test(name) ? name : 'what the request names');

const words = (text: string) => text.split(/[\s,]+/).filter((word) => word !== '');

function wholeNumber(text: string): number {
  if (!/^[0-9]{1,9}$/.test(text)) {
    throw new ServiceError('invalid_request', 'lifetime must be a whole number of seconds');
  }
  return Number(text);
}

function oneText(asked: Asked, name: string): string | undefined {
  return texts(asked, name)[0];
}

function texts(asked: Asked, name: string): string[] {
  const value = asked.get(name);
  if (value === undefined) return [];
  const all = [value].flat().map((one) => (typeof one === 'number' ? String(one) : (one as unknown)));
  if (!all.every((one) => typeof one === 'string')) {
    throw new ServiceError('invalid_request', `${name} must be text`);
  }
  return all;
}
