import { Agent, request } from 'node:http';
import type { Attack } from './attack-headers.ts';

/** What came of an attack: the status, and whether the token was taken. */
export type Outcome = { what: string; status: number; isTaken: boolean };

/** Sends many requests over kept connections, from one address of this machine after another. */
export type Attacker = Disposable & {
  /** Sends each attack with `send`, some at once; gives those that were taken or answered 5xx, and each status. */
  run(
    attacks: Iterable<Attack>,
    target: (token: string) => Shot | undefined,
  ): Promise<{ bad: Outcome[]; statuses: Map<number, number> }>;
};

/** One request: where to, its headers and body. */
export type Shot = { url: string; method: string; headers: Record<string, string>; body?: string };

const AT_ONCE = 24;
/** Requests from one address: fewer than make the publisher slow an address down. */
const PER_ADDRESS = 1500;

export function attacker(): Attacker {
  const agent = new Agent({ keepAlive: true, maxSockets: AT_ONCE });
  let sent = 0;
  const fire = (shot: Shot) => {
    const place = Math.floor(sent++ / PER_ADDRESS);
    const localAddress = `127.0.${1 + Math.floor(place / 250)}.${1 + (place % 250)}`;
    return new Promise<{ status: number; text: string }>((resolve, reject) => {
      const { url, method, headers, body } = shot;
      const asking = request(url, { agent, method, headers, localAddress }, (response) => {
        let text = '';
        response.on('data', (chunk: Buffer) => {
          text += chunk.toString();
        });
        response.on('end', () => resolve({ status: response.statusCode ?? 0, text }));
      });
      asking.on('error', reject);
      asking.end(body);
    });
  };
  return {
    async run(attacks, target) {
      const bad: Outcome[] = [];
      const statuses = new Map<number, number>();
      const queue = attacks[Symbol.iterator]();
      const note = (what: string, { status, text }: { status: number; text: string }) => {
        statuses.set(status, (statuses.get(status) ?? 0) + 1);
        const isTaken = status === 200 && text !== '{"active":false}';
        if (isTaken || status >= 500) bad.push({ what, status, isTaken });
      };
      const work = async () => {
        for (let next = queue.next(); !next.done; next = queue.next()) {
          const [what, token] = next.value;
          const shot = target(token);
          if (shot) note(what, await fire(shot));
        }
      };
      await Promise.all(Array.from({ length: AT_ONCE }, work));
      return { bad, statuses };
    },
    [Symbol.dispose]: () => agent.destroy(),
  };
}
