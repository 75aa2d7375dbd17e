import type { Policy } from '@mayfly/contracts/policy';

type Urls = { BASE_URL?: string | undefined; REQUEST_URL?: string | undefined };

/** Takes the settings and the policy; gives the base URL of the issuers. Throws a TypeError where neither says it. */
export function findBaseUrl({ BASE_URL }: Urls, { base_url }: Policy): string {
  const url = BASE_URL ?? base_url;
  if (!url) throw new TypeError('settings: base_url in mayfly.yaml, or BASE_URL, must be set');
  return url;
}

/** Takes the settings and the policy; gives the URL at which runners reach issuer. Throws a TypeError where neither says it. */
export function findRequestUrl({ REQUEST_URL }: Urls, { request_url, base_url }: Policy): string {
  const url = REQUEST_URL ?? request_url ?? base_url;
  if (!url)
    throw new TypeError('settings: request_url or base_url in mayfly.yaml, or REQUEST_URL, must be set');
  return url;
}
