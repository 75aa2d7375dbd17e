import type { RequestAddress } from './exec-relay.ts';
import { type Environment, type Grant, REQUEST_VARIABLES } from './grant.ts';

type OfGrant = RequestAddress & Pick<Grant, 'requestNames'>;
type Warn = (line: string) => void;

/** What we would set for a step, and what it gets: where its own configuration says otherwise, that wins. */
export function stepEnvironment(
  own: Environment,
  offered: Environment,
  warn: Warn,
): Record<string, string | undefined> {
  const result: Record<string, string | undefined> = { ...own };
  for (const [name, value] of Object.entries(offered)) {
    if (own[name] !== undefined && own[name] !== value) warn(keptAsItIs(name));
    else result[name] = value;
  }
  return result;
}

/** What a file declares for a step, and what it gets: the file wins, as it does in GitLab. */
export function declaredEnvironment(
  own: Environment,
  declared: Record<string, string>,
  warn: Warn,
): Record<string, string | undefined> {
  for (const [name, value] of Object.entries(declared)) {
    if (own[name] !== undefined && own[name] !== value)
      warn(`${name} is set already and is replaced by what the file of --config declares`);
  }
  return { ...own, ...declared };
}

/**
 * Gives the environment without the variables by which the grant came: a step is to ask where we say. Whatever else holds the
 * request token is left out too, be it under a name that nobody told us.
 */
export function withoutGrant(own: Environment, grant: OfGrant): Environment {
  const names = [...REQUEST_VARIABLES, ...grant.requestNames].filter(
    ([, token]) => own[token] === grant.requestToken,
  );
  const taken = new Set<string>(names.flat());
  const isKept = ([name, value = '']: [string, string | undefined]) =>
    !taken.has(name) && !value.includes(grant.requestToken);
  return Object.fromEntries(Object.entries(own).filter(isKept));
}

/**
 * Variables under names that nobody told us which held the request token of the grant, alone or with more, as a CI sets them that
 * gives a grant's own names: they get the address and the request token that the step is to use.
 */
export function renamedVariables(
  own: Environment,
  { requestUrl, requestToken, requestNames }: OfGrant,
  address: RequestAddress,
): Environment {
  const known = new Set<string>([...REQUEST_VARIABLES, ...requestNames].flat());
  const others = Object.entries(own).filter(([name]) => !known.has(name));
  if (!others.some(([, value]) => value?.includes(requestToken))) return {};
  const isOfGrant = (value: string) => value.includes(requestToken) || value === requestUrl;
  return Object.fromEntries(
    others.flatMap(([name, value = '']) =>
      isOfGrant(value)
        ? [
            [
              name,
              value.replaceAll(requestToken, address.requestToken).replaceAll(requestUrl, address.requestUrl),
            ],
          ]
        : [],
    ),
  );
}

/** Where to ask for further tokens, by every name that is free: one half of ours with another's would be wrong. */
export function requestVariables(
  own: Environment,
  { requestNames, ...address }: OfGrant,
  warn: Warn,
): Environment {
  const offered: Record<string, string> = {};
  for (const [url, token] of requestNames) {
    const set = [url, token].find((name) => own[name] !== undefined);
    if (set !== undefined) warn(keptAsItIs(set));
    else Object.assign(offered, { [url]: address.requestUrl, [token]: address.requestToken });
  }
  return offered;
}

const PROXIES = ['http_proxy', 'HTTP_PROXY', 'https_proxy', 'HTTPS_PROXY', 'all_proxy', 'ALL_PROXY'];
const LOOPBACK = '127.0.0.1';
/** All that this machine calls itself. */
export const THIS_MACHINE: readonly string[] = [LOOPBACK, 'localhost', '[::1]', '::1'];

/** Gives the environment with these names of this machine exempted from its proxy, where it has one: nobody there reaches us. */
export function withoutProxyToUs(own: Environment, names: readonly string[] = [LOOPBACK]): Environment {
  if (!PROXIES.some((name) => own[name])) return own;
  const exempted = (value: string | undefined) => {
    const all = (value ?? '').split(',').map((host) => host.trim());
    return all.includes('*') ? value : [...new Set([...all.filter(Boolean), ...names])].join(',');
  };
  const { no_proxy: lower, NO_PROXY: upper } = own;
  return { ...own, no_proxy: exempted(lower ?? upper), NO_PROXY: exempted(upper ?? lower) };
}

function keptAsItIs(name: string): string {
  return `${name} is set already and stays as it is: unset it to use the one of this build`;
}
