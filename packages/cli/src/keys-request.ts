import { readFileSync } from 'node:fs';
import { hostname, userInfo } from 'node:os';
import { EVENT_NAMES } from '@mayfly/contracts/bus';
import { checkKeysAnswer, type KeysAnswer } from '@mayfly/contracts/keys';
import { CommandError } from './exit-codes.ts';
import type { Environment } from './grant.ts';

/** What is asked of `key-manager`, and how it is reached. */
export type KeysRequest = {
  verb: 'list' | 'rotate' | 'revoke';
  fields: Record<string, string>;
  nats: string | undefined;
  user: string | undefined;
  passwordFile: string | undefined;
  timeoutMs: number;
  env: Environment;
};

/** Asks `key-manager` over NATS, as the operator; gives its answer. Throws a CommandError that says what to do. */
export async function requestKeys(request: KeysRequest): Promise<KeysAnswer> {
  const { verb, fields, timeoutMs } = request;
  const type = `dev.mayfly.admin.keys.${verb}`;
  const body = JSON.stringify({ type, ...fields, by: `${userInfo().username}@${hostname()}`.slice(0, 128) });
  const address = addressOf(request);
  // Loaded here, because a runner that only wants a token needs none of it.
  const { connect } = await import('@nats-io/transport-node');
  const unreachable = (cause: unknown) =>
    new CommandError('unreachable', 'key-manager does not answer: is NATS there, and the password right?', {
      cause,
    });
  const nats = await connect({ ...address, timeout: timeoutMs, reconnect: false }).catch((cause: unknown) => {
    throw unreachable(cause);
  });
  try {
    const message = await nats.request(EVENT_NAMES.adminKeys(verb), body, { timeout: timeoutMs });
    return checkKeysAnswer.parse(message.json<unknown>());
  } catch (cause) {
    throw unreachable(cause);
  } finally {
    await nats.close();
  }
}

function addressOf({ nats, user, passwordFile, env }: KeysRequest) {
  const url = nats ?? env['NATS_URL'];
  const file = passwordFile ?? env['NATS_PASSWORD_FILE'];
  const name = user ?? env['NATS_USER'] ?? 'operator';
  if (!url) throw new CommandError('configuration', 'set NATS_URL, or say --nats URL');
  if (!file) throw new CommandError('configuration', 'set NATS_PASSWORD_FILE, or say --password-file FILE');
  return { servers: url.split(','), user: name, pass: readPassword(file), inboxPrefix: `_INBOX.${name}` };
}

function readPassword(file: string): string {
  try {
    return readFileSync(file, 'utf8').trim();
  } catch (cause) {
    throw new CommandError('configuration', 'the password file cannot be read', { cause });
  }
}
