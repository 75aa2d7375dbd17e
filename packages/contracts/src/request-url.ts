/** What the address for tokens ends in: clients written for GitHub append `&audience=…`, so that it has to hold a `?`. */
export const REQUEST_QUERY = 'api-version=1';

/** Takes the target of a request for a token; gives it with the `?audience=…` that clients written for Vela append as `&audience=…`. */
export function withOneQuery(target: string): string {
  return target.replace(/^([^?#]*\?api-version=[^?&#]*)\?/, '$1&');
}
