import formbody from '@fastify/formbody';
import { isRequestToken, readRequestToken } from '@mayfly/contracts/build-reference';
import { ServiceError } from '@mayfly/contracts/errors';
import type { AdmittedBuild } from '@mayfly/contracts/events';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { Logger } from 'pino';
import type { Counter } from 'prom-client';
import { findRunning, type Issuer, issueToken, type Wish } from './issue.ts';

type Edge = {
  issuer: Issuer;
  /** Keys of request tokens: the one in use, and the one before it while it changes. */
  requestTokenKeys: readonly Uint8Array[];
  counter: Counter<'by'>;
  log: Logger;
};

/** Adds `GET` and `POST /token`: a runner shows its build's request token and gets an ID token for an audience. */
export async function tokenRoutes(http: FastifyInstance, edge: Edge): Promise<void> {
  await http.register(formbody);
  http.route({
    method: ['GET', 'POST'],
    url: '/token',
    handler: async (request, reply) => {
      const build = await authorizedBuild(request.headers.authorization, edge);
      const { token, jti, audience, expiresAt } = await issueToken(build, wishOf(request), edge.issuer);
      edge.log.info(
        { source: build.source, buildId: build.build.id, jti, audience, by: 'request' },
        'token issued',
      );
      edge.counter.inc({ by: 'request' });
      return reply.headers({ 'cache-control': 'no-store', pragma: 'no-cache' }).send({
        ...replyFields(build, token, edge.issuer),
        expires_at: expiresAt,
      });
    },
  });
}

async function authorizedBuild(authorization: string | undefined, edge: Edge): Promise<AdmittedBuild> {
  const [, shown] = /^bearer +(\S+)$/i.exec(authorization ?? '') ?? [];
  const reference = shown === undefined ? undefined : readRequestToken(shown);
  if (!shown || !reference)
    throw new ServiceError('invalid_token', 'the request token is missing or malformed');
  const build = await findRunning(reference, edge.issuer);
  if (!build || !isRequestToken(shown, reference, build.digest, edge.requestTokenKeys)) {
    throw new ServiceError('invalid_token', 'the request token names no running build');
  }
  if (!build.id_tokens) throw new ServiceError('access_denied', 'the build declares no tokens');
  return build;
}

/** The fields of the reply that hold the token: GitHub's, Vela's and Buildkite's, and those of the source's profile. */
function replyFields(build: AdmittedBuild, token: string, { sources }: Issuer): Record<string, string> {
  const names = ['value', 'token', ...(sources.get(build.source)?.profile.reply ?? [])];
  return Object.fromEntries(names.map((name) => [name, token]));
}

function wishOf(request: FastifyRequest): Wish {
  const asked = { ...(request.query as object), ...(isObject(request.body) ? request.body : {}) } as Record<
    string,
    unknown
  >;
  const audience = texts(asked, 'audience');
  const lifetime = texts(asked, 'lifetime')[0];
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

const isObject = (value: unknown): value is object =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const words = (text: string) => text.split(/[\s,]+/).filter((word) => word !== '');

function wholeNumber(text: string): number {
  if (!/^[0-9]{1,9}$/.test(text))
    throw new ServiceError('invalid_request', 'lifetime must be a whole number of seconds');
  return Number(text);
}

function texts(asked: Record<string, unknown>, name: string): string[] {
  const value = asked[name];
  if (value === undefined) return [];
  const all = (Array.isArray(value) ? value : [value]).map((one) =>
    typeof one === 'number' ? String(one) : one,
  );
  if (!all.every((one) => typeof one === 'string'))
    throw new ServiceError('invalid_request', `${name} must be text`);
  return all as string[];
}
