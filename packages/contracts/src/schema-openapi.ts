import { ERRORS, type ErrorCode } from './errors.ts';
import { Failure, type Proof, type Route } from './schema-routes.ts';

/** What an OpenAPI document says of its service beside its addresses. */
export type HttpService = { title: string; description: string; routes: readonly Route[] };

const PROOFS: Readonly<Record<Proof, [string, object]>> = {
  'request token': [
    'requestToken',
    { type: 'http', scheme: 'bearer', description: 'The `id_token_request_token` of a grant.' },
  ],
  source: ['source', { type: 'http', scheme: 'basic', description: 'Name and secret of a source.' }],
  'relying party': [
    'relyingParty',
    { type: 'http', scheme: 'basic', description: 'Name and secret of a relying party.' },
  ],
};

/** Takes a service; gives its OpenAPI 3.1 document. */
export function openApiDocument({
  title,
  description,
  routes,
}: HttpService): Record<string, unknown> & { components: object } {
  const paths: Record<string, Record<string, object>> = {};
  for (const route of routes) {
    const operations = route.methods.map((method) => [method, operation(route)] as const);
    paths[route.path] = { ...paths[route.path], ...Object.fromEntries(operations) };
  }
  const proofs = routes.flatMap(({ proof }) => (proof ? [PROOFS[proof]] : []));
  return {
    openapi: '3.1.1',
    info: {
      title: `Mayfly: ${title}`,
      version: '1',
      description,
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    paths,
    components: { securitySchemes: Object.fromEntries(proofs) },
  };
}

function operation({ path, summary, proof, query, body, answer, otherwise, errors }: Route): object {
  const inPath = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => ({
    ...{ name, in: 'path', required: true, schema: { type: 'string' } },
  }));
  const inQuery = Object.entries(query ?? {}).map(([name, schema]) => ({ name, in: 'query', schema }));
  const parameters = [...inPath, ...inQuery];
  const answers = [answer, ...(otherwise ? [otherwise] : [])].map(({ status, description, content }) => [
    status,
    { description, ...(content ? { content: contentOf(content) } : {}) },
  ]);
  return {
    summary,
    ...(proof ? { security: [{ [PROOFS[proof][0]]: [] }] } : {}),
    ...(parameters.length > 0 ? { parameters } : {}),
    ...(body ? { requestBody: { required: true, content: contentOf(body) } } : {}),
    responses: {
      ...Object.fromEntries(answers),
      ...(errors ? failures(errors) : {}),
    },
  };
}

const contentOf = (schemas: Readonly<Record<string, object>>) =>
  Object.fromEntries(Object.entries(schemas).map(([type, schema]) => [type, { schema }]));

/** One answer a status, with the errors that it stands for; 500 is always possible. */
function failures(errors: readonly ErrorCode[]): Record<string, object> {
  const all = [...errors, 'server_error' as const];
  const statuses = new Set(all.map((code) => ERRORS[code].status));
  const content = contentOf({ 'application/json': Failure });
  return Object.fromEntries(
    [...statuses].map((status) => {
      const codes = all.filter((code) => ERRORS[code].status === status);
      return [status, { description: codes.join(' or '), content }];
    }),
  );
}
