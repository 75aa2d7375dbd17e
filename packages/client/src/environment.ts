import type { TokenGrant } from '@mayfly/contracts/events';

/** The names of an address and its request token where a grant says none. */
const OUR_NAMES = {
  request_url: ['MAYFLY_ID_TOKEN_REQUEST_URL'],
  request_token: ['MAYFLY_ID_TOKEN_REQUEST_TOKEN'],
};

/**
 * Takes a grant; gives the environment of a runner that gets it as variables, without `mayfly exec`: its tokens, and the
 * way to more, under the names that the profile of the source has. All of it is secret but the addresses.
 */
export function grantEnvironment({ data }: TokenGrant): Record<string, string> {
  const { id_tokens, id_token_errors, id_token_request_url, id_token_request_token, variables } = data;
  const named = (names: readonly string[], value: string) => names.map((name) => [name, value] as const);
  const declared = Object.keys({ ...id_tokens, ...id_token_errors });
  const [only = ''] = declared.length === 1 ? Object.values(id_tokens) : [];
  return Object.fromEntries([
    ...named([...OUR_NAMES.request_url, ...(variables?.request_url ?? [])], id_token_request_url),
    ...named([...OUR_NAMES.request_token, ...(variables?.request_token ?? [])], id_token_request_token),
    ...(only ? named(variables?.token ?? [], only) : []),
    ...Object.entries(id_tokens),
  ]);
}
