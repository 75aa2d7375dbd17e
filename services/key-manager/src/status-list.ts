import { LONGEST_STATUS_LIST_SECONDS, type SignStatusList } from '@mayfly/contracts/signing';
import { signJws } from './jws.ts';
import { boundsOf, MAX_SKEW_SECONDS, refuse, type Signer } from './sign.ts';

/**
 * Signs one Status List Token (OAuth Token Status List §5.1, `typ: statuslist+jwt`), `iss` added. Throws
 * `invalid_request` where it is not a list of its source or its times are out of bounds, `temporarily_unavailable`
 * where no key is fit to sign.
 */
export async function signStatusList({ source, claims }: SignStatusList, signer: Signer): Promise<string> {
  const { issuer } = boundsOf(source, signer);
  const { sub, iat, exp, ttl, status_list } = claims;
  const lists = `${issuer}/status-lists`;
  if (!sub.startsWith(`${lists}/`)) refuse('sub must be the address of a list of this source');
  if (status_list.aggregation_uri?.startsWith(lists) === false)
    refuse('aggregation_uri must be an address of this source');
  if (Math.abs(iat - signer.now()) > MAX_SKEW_SECONDS) refuse('iat is too far from the present');
  if (exp <= iat || exp - iat > LONGEST_STATUS_LIST_SECONDS) refuse('the lifetime is out of bounds');
  if (ttl > exp - iat) refuse('ttl is longer than the lifetime');
  const list = { sub, iat, exp, ttl, status_list };
  return await signJws({ source, typ: 'statuslist+jwt', alg: 'ES256', issuer, claims: list }, signer);
}
