import { ServiceError } from '@mayfly/contracts/errors';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { clientNetwork } from './client-network.ts';
import type { Authenticate, RelyingParty } from './credentials.ts';
import { limiter } from './limiter.ts';
import type { Metrics } from './metrics.ts';

/** Who may ask what is not public, and how much work may be made for nothing. */
export type Callers = {
  /** Refuses a request without good credentials, before its body is read. */
  authenticate(request: FastifyRequest, reply: FastifyReply): Promise<void>;
  /** The relying party that an authenticated request is from. Throws `slow_down` where it has shown too much rubbish. */
  callerOf(request: FastifyRequest): RelyingParty;
  /** Notes that the request showed a token that nobody here signed. */
  noteForgery(request: FastifyRequest): void;
};

/** Bad credentials a network may show at once and a second; a good one next to them is never refused. */
const BAD_CREDENTIALS = { burst: 100, perSecond: 20 };
/** Tokens of no signature of ours that a relying party may show from one network, at once and a second. */
const FORGERIES = { burst: 2000, perSecond: 200 };

/** Takes the check of credentials, and what counts the callers; gives who is who. */
export function callers(check: Authenticate, metrics: Pick<Metrics, 'callers'>): Callers {
  const known = new WeakMap<FastifyRequest, RelyingParty>();
  const clock = () => performance.now();
  const badCredentials = limiter(BAD_CREDENTIALS.burst, BAD_CREDENTIALS.perSecond, clock);
  const forgeries = limiter(FORGERIES.burst, FORGERIES.perSecond, clock);
  const placeOf = (request: FastifyRequest) => `${known.get(request)?.name} ${clientNetwork(request.ip)}`;
  return {
    async authenticate(request) {
      const party = check(request.headers.authorization);
      if (party) {
        metrics.callers('known');
        known.set(request, party);
        return;
      }
      const network = clientNetwork(request.ip);
      const hasLeft = badCredentials.hasLeft(network);
      metrics.callers(hasLeft ? 'unknown' : 'slowed_down');
      if (!hasLeft) throw new ServiceError('slow_down', 'too many bad credentials');
      badCredentials.count(network);
      throw new ServiceError('invalid_client', 'the caller is not a known relying party');
    },
    callerOf(request) {
      const party = known.get(request);
      if (!party) throw new ServiceError('invalid_client', 'the caller is not a known relying party');
      if (forgeries.hasLeft(placeOf(request))) return party;
      metrics.callers('forging');
      throw new ServiceError('slow_down', 'too many forged tokens');
    },
    noteForgery: (request) => forgeries.count(placeOf(request)),
  };
}
