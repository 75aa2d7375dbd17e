import Type from 'typebox';
import { BuildFinished, BuildStarted, Heartbeat } from './events.ts';
import type { Route } from './schema-routes.ts';

const Event = Type.Union([BuildStarted, BuildFinished]);

/** The addresses of `build-lifecycle`. */
export const BUILD_LIFECYCLE_ROUTES: readonly Route[] = [
  {
    methods: ['post'],
    path: '/events',
    summary:
      'Takes an event as over NATS: a CloudEvent, structured, or binary with its attributes in ce- headers; or a CDEvent.',
    proof: 'source',
    body: { 'application/cloudevents+json': Event, 'application/json': Event },
    answer: {
      status: 202,
      description: 'The event is stored.',
      content: {
        'application/json': Type.Object({
          id: Type.String({ description: 'The id of the event.' }),
          seq: Type.Integer({ minimum: 1, description: 'Its sequence in BUILDS.' }),
          duplicate: Type.Boolean({ description: 'Whether it was stored before.' }),
        }),
      },
    },
    errors: [
      'invalid_request',
      'invalid_client',
      'access_denied',
      'payload_too_large',
      'unsupported_media_type',
      'temporarily_unavailable',
    ],
  },
  {
    methods: ['post'],
    path: '/heartbeat',
    summary:
      'Takes a heartbeat as over NATS: the builds that still run. Those of the source that no heartbeat names end.',
    proof: 'source',
    body: { 'application/json': Heartbeat },
    answer: {
      status: 200,
      description: 'The heartbeat counts.',
      content: {
        'application/json': Type.Object({
          running: Type.Integer({ minimum: 0, description: 'How many of the builds that it names run.' }),
          expected: Type.Boolean({ description: 'Whether mayfly.yaml expects heartbeats of the source.' }),
        }),
      },
    },
    errors: [
      'invalid_request',
      'invalid_client',
      'payload_too_large',
      'unsupported_media_type',
      'temporarily_unavailable',
    ],
  },
];
