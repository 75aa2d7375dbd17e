import { ServiceError } from '@mayfly/contracts/errors';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Authenticate, RelyingParty } from './credentials.ts';
import { limiter } from './limiter.ts';

/** Who may ask what is not public, and how much work may be made for nothing. */
export type Callers = {
  /** Refuses a request without good credentials, before its body is read. */
  authenticate(request: FastifyRequest, reply: FastifyReply): Promise<void>;
  /** The relying party that an authenticated request is from. Throws `slow_down` where it has shown too much rubbish. */
  callerOf(request: FastifyRequest): RelyingParty;
  /** Notes that the request showed a token that nobody here signed. */
  noteForgery(request: FastifyRequest): void;
};

/** Bad credentials an address may show at once and a second; a good one next to them is never refused. */
const BAD_CREDENTIALS = { burst: 100, perSecond: 20 };
/** Tokens of no signature of ours that a relying party may show from one address, at once and a second. */
const FORGERIES = { burst: 2000, perSecond: 200 };

/** Takes the check of credentials; gives who is who. */
export function callers(check: Authenticate): Callers {
  const known = new WeakMap<FastifyRequest, RelyingParty>();
  const clock = () => performance.now();
  const badCredentials = limiter(BAD_CREDENTIALS.burst, BAD_CREDENTIALS.perSecond, clock);
  const forgeries = limiter(FORGERIES.burst, FORGERIES.perSecond, clock);
  const placeOf = (request: FastifyRequest) => `${known.get(request)?.name} ${request.ip}`;
  return {
    async authenticate(request) {
      const party = check(request.headers.authorization);
      if (party) {
        known.set(request, party);
        return;
      }
      if (!badCredentials.hasLeft(request.ip))
        throw new ServiceError('slow_down', 'too many bad credentials');
      badCredentials.count(request.ip);
      throw new ServiceError('invalid_client', 'the caller is not a known relying party');
    },
    callerOf(request) {
      const party = known.get(request);
      if (!party) throw new ServiceError('invalid_client', 'the caller is not a known relying party');
      if (!forgeries.hasLeft(placeOf(request))) throw new ServiceError('slow_down', 'too many forged tokens');
      return party;
    },
    noteForgery: (request) => forgeries.count(placeOf(request)),
  };
}
