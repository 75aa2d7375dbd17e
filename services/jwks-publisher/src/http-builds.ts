import { ServiceError } from '@mayfly/contracts/errors';
import type { FastifyInstance } from 'fastify';
import { type BuildStatusReader, readBuildStatus } from './build-status.ts';
import type { Callers } from './callers.ts';
import { refuseOthers } from './http-documents.ts';

/** What a question about a build of one source needs: the builds, and which audiences its tokens can have. */
export type BuildFinder = BuildStatusReader;

/** Adds `GET <path>/<id>`: whether a build runs, since when and, once finished, why. For relying parties that may know. */
export function buildRoute(http: FastifyInstance, path: string, finder: BuildFinder, callers: Callers): void {
  const url = `${path}/:id`;
  http.get<{ Params: { id: string } }>(url, { onRequest: callers.authenticate }, async (request, reply) => {
    const status = await readBuildStatus(request.params.id, callers.callerOf(request), finder);
    if (!status) throw new ServiceError('not_found', 'there is no such build');
    return reply.header('cache-control', 'no-store').send(status);
  });
  refuseOthers(http, url, ['GET', 'HEAD']);
}
