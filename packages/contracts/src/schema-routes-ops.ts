import Type from 'typebox';
import type { Route } from './schema-routes.ts';

const Readiness = Type.Object({
  ready: Type.Boolean({ description: 'Whether the service can do its work.' }),
  missing: Type.Array(Type.String(), {
    description: 'What it waits for, by name; empty when it is ready.',
    examples: [['nats', 'redis']],
  }),
});
const readiness = { 'application/json': Readiness };

/** The addresses that each of the four services has on its port for operators. */
export const OPS_ROUTES: readonly Route[] = [
  {
    methods: ['get'],
    path: '/livez',
    summary: 'Says that the process runs.',
    answer: {
      status: 200,
      description: 'It runs.',
      content: { 'application/json': Type.Object({ status: Type.Literal('alive') }) },
    },
  },
  {
    methods: ['get'],
    path: '/readyz',
    summary: 'Says whether the service can do its work.',
    answer: { status: 200, description: 'It can.', content: readiness },
    otherwise: { status: 503, description: 'It cannot yet, or not now.', content: readiness },
  },
  {
    methods: ['get'],
    path: '/metrics',
    summary: 'Metrics of the process and of the service, for Prometheus.',
    answer: {
      status: 200,
      description: 'The metrics, in the text format of Prometheus.',
      content: { 'text/plain': Type.String() },
    },
  },
];
