import { ServiceError } from '@mayfly/contracts/errors';
import { STATUS_LIST_TTL_SECONDS } from '@mayfly/contracts/status-list';
import type { FastifyInstance, FastifyReply } from 'fastify';
import { publicRoute, sendDocument } from './http-documents.ts';
import type { Metrics } from './metrics.ts';
import {
  aggregateLists,
  type Extent,
  hasList,
  type PublishedList,
  publishList,
  type StatusLists,
} from './status-lists.ts';

/** The status lists of one issuer. */
export type ServedLists = StatusLists;

/** How long one signature serves, ms: what a flood of questions costs `key-manager`. An end shows within a second. */
const REUSED_MS = 900;

/** Adds the status lists under `path`, and at `path` itself where they all are. */
export function statusListRoutes(
  http: FastifyInstance,
  path: string,
  lists: ServedLists,
  metrics: Pick<Metrics, 'documents'>,
): void {
  const find = reuse(lists);
  publicRoute(http, path, async (_request, reply) => {
    reply.header('cache-control', `public, max-age=${STATUS_LIST_TTL_SECONDS}`);
    const uris = await aggregateLists(lists);
    metrics.documents('status_lists');
    return reply.send({ status_lists: uris });
  });
  publicRoute(http, `${path}/:list`, async (request, reply) => {
    const { list } = request.params as { list: string };
    // §8.4: what the list said at another time is not kept.
    if ((request.query as Record<string, unknown>)['time'] !== undefined) return refuseHistory(reply);
    const [, created, number] = /^([1-9][0-9]{0,15})-(0|[1-9][0-9]{0,11})$/.exec(list) ?? [];
    const found = created && number ? await find(Number(created), Number(number)) : undefined;
    if (!found) throw new ServiceError('not_found', 'there is no such status list');
    metrics.documents('status_list');
    const age = Math.floor((performance.now() - found.signedAt) / 1000);
    return sendDocument(
      request,
      reply,
      found.document,
      `public, max-age=${STATUS_LIST_TTL_SECONDS - age}, must-revalidate`,
    );
  });
}

function refuseHistory(reply: FastifyReply): FastifyReply {
  return reply.code(501).header('cache-control', 'no-store').send({
    error: 'invalid_request',
    error_description: 'what a status list said at another time is not kept',
  });
}

/**
 * Gives each list that is still good again, and makes each new one once for all who ask meanwhile. Of lists that there are
 * not nothing is read as long as it is known which there are.
 */
function reuse(lists: StatusLists) {
  let known: { extent: Extent; until: number } | undefined;
  const running: StatusLists['running'] = {
    async read(source, list) {
      const asked = performance.now();
      const builds = await lists.running.read(source, list);
      known = { extent: builds, until: asked + Math.min(builds.freshForMs, REUSED_MS) };
      return builds;
    },
  };
  const published = new Map<string, PublishedList>();
  const underWay = new Map<string, Promise<PublishedList | undefined>>();
  return async (created: number, number: number): Promise<PublishedList | undefined> => {
    const name = `${created}-${number}`;
    if (known && performance.now() <= known.until && !hasList(known.extent, created, number))
      return undefined;
    const last = published.get(name);
    if (last && isGood(last)) return last;
    forgetOld(published);
    const making =
      underWay.get(name) ??
      publishList(created, number, { ...lists, running }).finally(() => underWay.delete(name));
    underWay.set(name, making);
    const made = await making;
    if (made) published.set(name, made);
    return made;
  };
}

/** Forgets every list that serves nobody any more: builds start new ones all the time. */
function forgetOld(published: Map<string, PublishedList>): void {
  for (const [name, list] of published) if (!isGood(list)) published.delete(name);
}

function isGood({ signedAt, freshUntil }: PublishedList): boolean {
  const now = performance.now();
  return now - signedAt <= REUSED_MS && now <= freshUntil;
}
