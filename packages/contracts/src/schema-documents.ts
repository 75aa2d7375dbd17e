import type { TSchema } from 'typebox';
import { Build } from './build.ts';
import {
  BuildEnded,
  BuildFinal,
  BuildFinished,
  BuildRunning,
  BuildStarted,
  GrantRequest,
  Heartbeat,
  TokenGrant,
} from './events.ts';
import { PublicJwk } from './keys.ts';
import { Policy } from './policy.ts';
import { asyncApiDocument } from './schema-asyncapi.ts';
import { type HttpService, openApiDocument } from './schema-openapi.ts';
import { Failure } from './schema-routes.ts';
import { BUILD_LIFECYCLE_ROUTES } from './schema-routes-build-lifecycle.ts';
import { ISSUER_ROUTES } from './schema-routes-issuer.ts';
import { JWKS_PUBLISHER_ROUTES } from './schema-routes-jwks-publisher.ts';
import { OPS_ROUTES } from './schema-routes-ops.ts';

const SCHEMAS: Readonly<Record<string, [description: string, schema: TSchema]>> = {
  build: ['A build, in the words that every CI system shares.', Build],
  'build-started': ['ci.<source>.build.started: a CI says that a build runs.', BuildStarted],
  'build-finished': ['ci.<source>.build.finished: a CI says that a build is over.', BuildFinished],
  heartbeat: ['ci.<source>.heartbeat: a CI says that builds still run.', Heartbeat],
  'grant-request': ['ci.<source>.grant: a CI asks again for the grant of a running build.', GrantRequest],
  'token-grant': ["tokens.<source>.<reply>: a build's tokens, and the way to more.", TokenGrant],
  'build-ended': ['ended.<source>: build-lifecycle says that a build is over though no CI did.', BuildEnded],
  'build-is-running': ['build.running: builds are on record as running.', BuildRunning],
  'build-is-finished': ['build.finished: a build is on record as finished, for good.', BuildFinal],
  policy: ['mayfly.yaml, as JSON.', Policy],
};

const SERVICES: Readonly<Record<string, HttpService>> = {
  issuer: {
    title: 'issuer',
    description: 'Where runners and CI systems ask for ID tokens.',
    routes: ISSUER_ROUTES,
  },
  'jwks-publisher': {
    title: 'jwks-publisher',
    description: 'Where relying parties verify ID tokens. Every address answers HEAD where it answers GET.',
    routes: JWKS_PUBLISHER_ROUTES,
  },
  'build-lifecycle': {
    title: 'build-lifecycle',
    description: 'Where a CI system that speaks HTTP says what happens to its builds.',
    routes: BUILD_LIFECYCLE_ROUTES,
  },
  ops: {
    title: 'the port for operators',
    description:
      'What each of the four services says of itself, at OPS_HOST and OPS_PORT: for nobody else to reach.',
    routes: OPS_ROUTES,
  },
};

/** What composite documents name once and refer to. */
const COMPONENTS: Readonly<Record<string, TSchema>> = {
  ...{ TokenGrant, BuildStarted, BuildFinished, BuildRunning, Build, PublicJwk, Failure },
};

/** Gives every published document, by the name of its file: as JSON, nothing but what it says. */
export function schemaDocuments(): Record<string, unknown> {
  const schemas = Object.entries(SCHEMAS).map(([name, [description, schema]]): [string, object] => {
    const file = `${name}.schema.json`;
    const $schema = 'https://json-schema.org/draft/2020-12/schema';
    return [file, { $schema, $id: file, description, ...schema, title: name }];
  });
  const services = Object.entries(SERVICES).map(([name, service]): [string, object] => [
    `${name}.openapi.json`,
    withComponents(openApiDocument(service)),
  ]);
  const all = [...schemas, ...services, ['asyncapi.json', withComponents(asyncApiDocument())]];
  return JSON.parse(JSON.stringify(Object.fromEntries(all))) as Record<string, unknown>;
}

function withComponents(document: { components: object }): object {
  const names = new Map(
    Object.entries(COMPONENTS).map(([name, schema]) => [JSON.stringify(schema), name] as const),
  );
  const used = new Set<string>();
  const refer = (value: unknown, isTop = false): unknown => {
    if (typeof value !== 'object' || value === null) return value;
    if (Array.isArray(value)) return value.map((one) => refer(one));
    const name = isTop ? undefined : names.get(JSON.stringify(value));
    if (name === undefined)
      return Object.fromEntries(Object.entries(value).map(([member, inner]) => [member, refer(inner)]));
    if (!used.has(name)) {
      used.add(name);
      // What it is made of may be a component too.
      found.set(name, refer(COMPONENTS[name], true));
    }
    return { $ref: `#/components/schemas/${name}` };
  };
  const found = new Map<string, unknown>();
  const referring = refer(document) as { components: object };
  const schemas = Object.fromEntries([...found].sort(([one], [other]) => (one < other ? -1 : 1)));
  return { ...referring, components: { ...referring.components, schemas } };
}
