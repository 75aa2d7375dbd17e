import { ServiceError } from '@mayfly/contracts/errors';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { clientNetwork } from './client-network.ts';
import type { Authenticate, RelyingParty } from './credentials.ts';
import { limiter } from './limiter.ts';
import type { Metrics } from './metrics.ts';
import type { Budget } from './token.ts';

/** A relying party that asks, and how much work its questions may make for nothing. */
export type Caller = RelyingParty & { budget: Budget };

/** Who may ask what is not public, and how much work may be made for nothing. */
export type Callers = {
  /** Refuses a request without good credentials, before its body is read. */
  authenticate(request: FastifyRequest, reply: FastifyReply): Promise<void>;
  /** The relying party that an authenticated request is from. */
  callerOf(request: FastifyRequest): Caller;
};

/** Bad credentials a network may show at once and a second; a good one next to them is never refused. */
const BAD_CREDENTIALS = { burst: 100, perSecond: 20 };
/** Tokens with a signature that was checked and is not ours, that a relying party may show from one network, likewise. */
const FORGERIES = { burst: 2000, perSecond: 200 };

/** Takes the check of credentials, and what counts the callers; gives who is who. */
export function callers(check: Authenticate, metrics: Pick<Metrics, 'callers'>): Callers {
  const known = new WeakMap<FastifyRequest, RelyingParty>();
  const clock = () => performance.now();
  const badCredentials = limiter(BAD_CREDENTIALS.burst, BAD_CREDENTIALS.perSecond, clock);
  const forgeries = limiter(FORGERIES.burst, FORGERIES.perSecond, clock);
  const budgetOf = (place: string): Budget => ({
    hasLeft() {
      const hasLeft = forgeries.hasLeft(place);
      if (!hasLeft) metrics.callers('forging');
      return hasLeft;
    },
    spend: () => forgeries.count(place),
  });
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
      return { ...party, budget: budgetOf(`${party.name} ${clientNetwork(request.ip)}`) };
    },
  };
}
