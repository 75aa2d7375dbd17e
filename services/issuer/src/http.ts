import type { KeyObject } from 'node:crypto';
import formbody from '@fastify/formbody';
import {
  type BuildReference,
  isRequestToken,
  readRequestToken,
  requestTokenEnds,
} from '@mayfly/contracts/build-reference';
import { ServiceError } from '@mayfly/contracts/errors';
import type { AdmittedBuild, RevokeBuild } from '@mayfly/contracts/events';
import type { BasicAuthentication } from '@mayfly/service-kit/basic-auth';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { type Granter, regrant } from './grant.ts';
import {
  countAhead,
  findRunning,
  foundTooLongAgo,
  giveBack,
  type Issued,
  isJustFound,
  issueToken,
  lastFound,
  type Running,
} from './issue.ts';
import { issueAhead } from './issue-ahead.ts';
import type { IssueLog } from './log.ts';
import { type Exchange, exchangeFailure, exchangeIn, exchangeReply } from './token-exchange.ts';
import { wishOf } from './token-request.ts';

type Edge = {
  granter: Granter;
  /** Keys of request tokens: the one in use, and the one before it while it changes. */
  requestTokenKeys: readonly KeyObject[];
  /** Says which source an Authorization header proves. */
  authenticate: BasicAuthentication;
  /** Has build-lifecycle end a build whose request token leaked. */
  reportLeak(build: RevokeBuild): Promise<void>;
  log: IssueLog;
};

/** With more tokens in hand than these nothing is issued ahead: what is found together is issued together, which takes less. */
const FEW = 8;
const JSON_TYPE = 'application/json; charset=utf-8';
const NO_STORE = { 'cache-control': 'no-store', pragma: 'no-cache' };

/**
 * Adds what runners and CI systems ask for: `GET` and `POST /token` and `POST /leak` with a build's request token,
 * `POST /grant` with a source's name and secret.
 */
export async function issuerRoutes(http: FastifyInstance, edge: Edge): Promise<void> {
  const { granter, log } = edge;
  const { authorized, lastAuthorized } = authorizer(edge);
  let inHand = 0;
  await http.register(formbody);
  http.route({
    method: ['GET', 'POST'],
    url: '/token',
    exposeHeadRoute: false,
    handler: async (request, reply) => {
      const exchange = exchangeIn(request.body);
      const issue = async (running: Running) => {
        const wish = wishOf(exchange ? { query: request.query, body: exchange.wish } : request);
        if (!running.build.id_tokens) throw new ServiceError('access_denied', 'the build declares no tokens');
        return await issueToken(running, wish, granter);
      };
      const shown = exchange ? subjectOf(exchange) : requestTokenIn(request);
      inHand += 1;
      const { running, issued } = await issueAhead({
        finding: authorized(shown),
        last: inHand <= FEW ? lastAuthorized(shown) : undefined,
        issue,
        takeBack: ({ build }, { counted }) => giveBack(build, counted, granter),
      })
        .catch((error: unknown) => {
          log.refused(shown.reference, error);
          throw exchange ? exchangeFailure(error) : error;
        })
        .finally(() => {
          inHand -= 1;
        });
      if (!isJustFound(running, granter)) {
        giveBack(running.build, issued.counted, granter);
        throw foundTooLongAgo();
      }
      countAhead(running.build, granter);
      log.issued(running.build, issued, 'request');
      return reply
        .type(JSON_TYPE)
        .headers(NO_STORE)
        .send(
          exchange
            ? exchangeReply(issued, Math.floor(granter.now() / 1000))
            : replyBody(running, issued, granter),
        );
    },
  });
  // Nobody would get the token that a HEAD is answered with.
  http.head('/token', (_request, reply) => reply.code(405).header('allow', 'GET, POST').send());
  http.post('/grant', async (request, reply) => {
    const source = edge.authenticate(request.headers.authorization);
    if (!source) throw new ServiceError('invalid_client', 'the caller is not a known source');
    const granted = await regrant(source, request.body, granter);
    log.granted(granted, 'grant request');
    return reply.headers(NO_STORE).send(granted.grant);
  });
  leakRoute(http, edge, authorized);
}

function leakRoute(
  http: FastifyInstance,
  edge: Edge,
  authorized: (shown: RequestToken) => Promise<Running>,
): void {
  http.post('/leak', async (request, reply) => {
    const { build } = await authorized(requestTokenIn(request));
    const { reason } = (request.body ?? {}) as { reason?: unknown };
    const note = typeof reason === 'string' ? { note: reason.slice(0, 512) } : {};
    await edge.reportLeak({
      source: build.source,
      id: build.build.id,
      attempt: build.attempt,
      by: 'runner',
      ...note,
    });
    return reply.code(202).headers(NO_STORE).send({ status: 'ending' });
  });
}

type RequestToken = { token: string; reference: BuildReference };

/** Gives the request token that a request shows, and the build that it names, unproven. Throws `invalid_token` where there is none. */
function requestTokenIn({ headers }: FastifyRequest): RequestToken {
  const [, token] = /^bearer +(\S+)$/i.exec(headers.authorization ?? '') ?? [];
  return readShown(token);
}

function subjectOf({ requestToken }: Exchange): RequestToken {
  try {
    return readShown(requestToken);
  } catch (error) {
    throw exchangeFailure(error);
  }
}

function readShown(token: string | undefined): RequestToken {
  const reference = token === undefined ? undefined : readRequestToken(token);
  if (token && reference) return { token, reference };
  throw new ServiceError('invalid_token', 'the request token is missing or malformed');
}

/**
 * Has nothing begun again for a life that does not run, or of which nobody knows. Whoever names another attempt, proven or
 * not, changes nothing for the one that runs.
 */
function forgetLife(reference: BuildReference, { builds }: Granter): void {
  if (builds.last(reference)?.record?.attempt === reference.attempt) builds.forget(reference);
}

/**
 * Gives what takes a request token and gives the running build whose it is, or throws `invalid_token`; and what gives the
 * build whose it was when it was last found, at once.
 */
function authorizer({ granter, requestTokenKeys }: Edge) {
  const known = new WeakMap<AdmittedBuild, readonly Buffer[]>();
  const endsFor = (build: AdmittedBuild) => {
    const there = known.get(build);
    if (there) return there;
    const { source, attempt, digest } = build;
    const ends = requestTokenEnds({ source, id: build.build.id, attempt }, digest, requestTokenKeys);
    known.set(build, ends);
    return ends;
  };
  return {
    async authorized({ token, reference }: RequestToken): Promise<Running> {
      const running = await findRunning(reference, granter).catch((error: unknown) => {
        forgetLife(reference, granter);
        throw error;
      });
      if (!running) forgetLife(reference, granter);
      if (!running || !isRequestToken(token, endsFor(running.build))) {
        throw new ServiceError('invalid_token', 'the request token names no running build');
      }
      return running;
    },
    lastAuthorized({ token, reference }: RequestToken): Running | undefined {
      const last = lastFound(reference, granter);
      return last && isRequestToken(token, endsFor(last.build)) ? last : undefined;
    },
  };
}

/**
 * The reply as JSON: the token under each of the names that GitHub, Vela and Buildkite have for it and those of the source's
 * profile, written once for all of them, and when it expires.
 */
function replyBody({ build }: Running, { token, expiresAt }: Issued, { sources }: Granter): string {
  const names = new Set(['value', 'token', ...(sources.get(build.source)?.profile.reply ?? [])]);
  const value = JSON.stringify(token);
  let members = '';
  for (const name of names) members += `${JSON.stringify(name)}:${value},`;
  return `{${members}"expires_at":${expiresAt}}`;
}
