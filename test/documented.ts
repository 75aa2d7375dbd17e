import { checker, type Fault } from '@mayfly/contracts/check';
import { CHANNELS } from '@mayfly/contracts/schema-channels';
import type { Route } from '@mayfly/contracts/schema-routes';

/** Takes addresses of a service, one of them, and what it answered; gives how that differs from what is published of it. */
export function faultsOfBody(routes: readonly Route[], path: string, body: unknown): Fault[] {
  const route = routes.find((one) => one.path === path);
  const schema = route?.answer.content?.['application/json'];
  if (!schema) throw new Error(`no answer of ${path} is published`);
  return checker(schema).faults(body);
}

/** Takes an event name and what was answered there; gives how that differs from what is published of it. */
export function faultsOfAnswer(address: string, answer: unknown): Fault[] {
  const schema = CHANNELS.find((one) => one.address === address)?.answer;
  if (!schema) throw new Error(`no answer on ${address} is published`);
  return checker(schema).faults(answer);
}
