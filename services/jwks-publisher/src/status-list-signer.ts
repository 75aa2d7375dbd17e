import { EVENT_NAMES } from '@mayfly/contracts/bus';
import { ServiceError } from '@mayfly/contracts/errors';
import { checkSignedStatusList, type SignStatusList } from '@mayfly/contracts/signing';
import { ask, type Bus } from '@mayfly/service-kit/bus';
import type { Metrics } from './metrics.ts';

/** Has a Status List Token signed by `key-manager`. Throws `temporarily_unavailable` where nobody signs. */
export type StatusListSigner = (source: string, claims: SignStatusList['claims']) => Promise<string>;

/** Takes the connection to NATS, once there is one, and what counts the lists; gives the signer over it. */
export function statusListSigner(
  bus: () => Bus | undefined,
  metrics: Pick<Metrics, 'lists'>,
): StatusListSigner {
  const sign: StatusListSigner = async (source, claims) => {
    const { nats } = bus() ?? {};
    if (!nats) throw new ServiceError('temporarily_unavailable', 'the message bus cannot be reached');
    const request: SignStatusList = { type: 'dev.mayfly.keys.sign.status-list', source, claims };
    const answer: unknown = (await ask(nats, EVENT_NAMES.signStatusList, JSON.stringify(request))).json();
    if (checkSignedStatusList.is(answer) && 'token' in answer) return answer.token;
    throw new ServiceError('temporarily_unavailable', 'the status list was not signed');
  };
  return async (source, claims) => {
    try {
      const token = await sign(source, claims);
      metrics.lists('signed');
      return token;
    } catch (error) {
      metrics.lists('failed');
      throw error;
    }
  };
}
