import { ServiceError } from '@mayfly/contracts/errors';
import type { FastifyRequest } from 'fastify';
import type { Wish } from './issue.ts';

/**
 * Takes a request for a token; gives what it asks for, from the query and the body: `audience` (one or several),
 * `lifetime` in seconds, `subject_claim`, `claims` and `aws_session_tags`. Throws `invalid_request`.
 */
export function wishOf({ query, body }: Pick<FastifyRequest, 'query' | 'body'>): Wish {
  const asked: Record<string, unknown> = { ...(query as object), ...(isObject(body) ? body : {}) };
  const audience = texts(asked, 'audience');
  const [lifetime] = texts(asked, 'lifetime');
  const [subjectClaim] = texts(asked, 'subject_claim');
  const optionalClaims = texts(asked, 'claims').flatMap(words);
  const awsSessionTags = texts(asked, 'aws_session_tags').flatMap(words);
  return {
    ...(audience.length === 1 ? { audience: audience[0] as string } : {}),
    ...(audience.length > 1 ? { audience } : {}),
    ...(lifetime === undefined ? {} : { lifetimeSeconds: wholeNumber(lifetime) }),
    ...(subjectClaim === undefined ? {} : { subjectClaim }),
    ...(optionalClaims.length > 0 ? { optionalClaims } : {}),
    ...(awsSessionTags.length > 0 ? { awsSessionTags } : {}),
  };
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

const words = (text: string) => text.split(/[\s,]+/).filter((word) => word !== '');

function wholeNumber(text: string): number {
  if (!/^[0-9]{1,9}$/.test(text)) {
    throw new ServiceError('invalid_request', 'lifetime must be a whole number of seconds');
  }
  return Number(text);
}

function texts(asked: Record<string, unknown>, name: string): string[] {
  const value = asked[name];
  if (value === undefined) return [];
  const all = (Array.isArray(value) ? value : [value]).map((one) =>
    typeof one === 'number' ? String(one) : (one as unknown),
  );
  if (!all.every((one) => typeof one === 'string')) {
    throw new ServiceError('invalid_request', `${name} must be text`);
  }
  return all;
}
