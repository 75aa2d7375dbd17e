import { readFileSync } from 'node:fs';
import { hostname, userInfo } from 'node:os';
import { natsTls } from '@mayfly/contracts/nats-tls';
import { CommandError } from './exit-codes.ts';
import type { Environment } from './grant.ts';

/** How an operator reaches the services. */
export type OperatorAccess = {
  nats: string | undefined;
  user: string | undefined;
  passwordFile: string | undefined;
  timeoutMs: number;
  env: Environment;
};

/** Sends a command; gives the answer. Throws a CommandError: what the service refused, or that it does not answer. */
export type SendCommand = (eventName: string, fields: object) => Promise<Record<string, unknown>>;

/** Connects over NATS as the operator, and does `act` with what sends commands, each signed with who asks. */
export async function asOperator<T>(
  access: OperatorAccess,
  service: string,
  act: (send: SendCommand) => Promise<T>,
): Promise<T> {
  const { timeoutMs } = access;
  const by = `${userName()}@${hostname()}`.slice(0, 128);
  const unreachable = (cause: unknown) => {
    const message = `${service} does not answer: is NATS there, and the password right?`;
    return new CommandError('unreachable', message, { cause });
  };
  const address = addressOf(access);
  // Loaded here, because a runner that only wants a token needs none of it.
  const { connect } = await import('@nats-io/transport-node');
  const nats = await connect({ ...address, timeout: timeoutMs, reconnect: false }).catch((cause: unknown) => {
    throw unreachable(cause);
  });
  const send: SendCommand = async (eventName, fields) => {
    const message = await nats
      .request(eventName, JSON.stringify({ ...fields, by }), { timeout: timeoutMs })
      .catch((cause: unknown) => {
        throw unreachable(cause);
      });
    const answer = message.json<Record<string, unknown>>();
    if (typeof answer['error'] === 'string') throw refusal(answer['error'], answer);
    return answer;
  };
  try {
    return await act(send);
  } finally {
    await nats.close();
  }
}

/** Who runs this; in a container that may be a number which nobody has given a name. */
export function userName(named = () => userInfo().username): string {
  try {
    return named();
  } catch {
    return `uid-${process.getuid?.() ?? 'unknown'}`;
  }
}

function refusal(
  code: string,
  { error_description: told, not_before }: Record<string, unknown>,
): CommandError {
  const when =
    typeof not_before === 'number' ? `; it may sign from ${new Date(not_before * 1000).toISOString()}` : '';
  return new CommandError('refused', `${told ?? code}${when}`, { code });
}

function addressOf({ nats, user, passwordFile, env }: OperatorAccess) {
  const url = nats ?? env['NATS_URL'];
  const file = passwordFile ?? env['NATS_PASSWORD_FILE'];
  const name = user ?? env['NATS_USER'] ?? 'operator';
  if (!url) throw new CommandError('configuration', 'set NATS_URL, or say --nats URL');
  if (!file) throw new CommandError('configuration', 'set NATS_PASSWORD_FILE, or say --password-file FILE');
  const servers = url.split(',');
  const pass = readPassword(file);
  return { servers, user: name, pass, inboxPrefix: `_INBOX.${name}`, ...insistence(servers) };
}

function insistence(servers: string[]) {
  try {
    return natsTls(servers);
  } catch (cause) {
    throw new CommandError('configuration', (cause as Error).message, { cause });
  }
}

function readPassword(file: string): string {
  try {
    return readFileSync(file, 'utf8').trim();
  } catch (cause) {
    throw new CommandError('configuration', 'the password file cannot be read', { cause });
  }
}
