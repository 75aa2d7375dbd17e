import { durationSeconds } from '@mayfly/contracts/duration';
import type { Policy } from '@mayfly/contracts/policy';

/** Takes the policy; gives how long each source's builds may go without a heartbeat, ms; undefined where none are expected. */
export function heartbeatIntervals({ sources }: Policy): (source: string) => number | undefined {
  const intervals = new Map<string, number>();
  for (const [source, { heartbeat }] of Object.entries(sources)) {
    if (heartbeat !== undefined) intervals.set(source, durationSeconds(heartbeat) * 1000);
  }
  return (source) => intervals.get(source);
}
