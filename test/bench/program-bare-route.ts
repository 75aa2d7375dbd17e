import { fastify } from 'fastify';
import { answerJobs } from './program.ts';

/** The bytes that the one route gives. */
export type BareRouteJob = { text: string; type: string };

const http = fastify();

await answerJobs<BareRouteJob>(
  async ({ text, type }) => {
    const bytes = Buffer.from(text);
    http.get('/', (_request, reply) => reply.type(type).send(bytes));
    const address = await http.listen({ port: 0, host: '127.0.0.1' });
    return { port: Number(new URL(address).port) };
  },
  () => http.close(),
);
