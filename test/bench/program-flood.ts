import { Agent } from 'node:http';
import { answerJobs } from './program.ts';
import { paced } from './publisher-figures.ts';
import { type Ask, send } from './publisher-rig.ts';

/** Requests to send in turn, so many a second, from two hundred addresses of this machine. */
export type FloodJob = { shots: Ask[]; perSecond: number; seconds: number };
/** How many were answered, by status; 0 where the connection broke. */
export type FloodResult = { statuses: [number, number][] };

const ADDRESSES = 200;
const agent = new Agent({ keepAlive: true, maxSockets: 4 });

await answerJobs<FloodJob>(
  async ({ shots, perSecond, seconds }) => {
    const { statuses } = await paced(perSecond, seconds, (index) => {
      const localAddress = `127.0.9.${1 + (index % ADDRESSES)}`;
      const shot = { ...(shots[index % shots.length] as Ask), localAddress };
      return send(agent, shot).catch(() => ({ status: 0 }));
    });
    return { statuses: [...statuses] } satisfies FloodResult;
  },
  () => agent.destroy(),
);
