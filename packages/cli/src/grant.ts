import { readFile } from 'node:fs/promises';
import { addAbortSignal, type Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { checkTokenGrant, type GrantVariables } from '@mayfly/contracts/events';
import { CommandError } from './exit-codes.ts';

/** The environment that a command runs in. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** What a build was given: the way to its tokens, and the tokens that it declared. */
export type Grant = {
  requestUrl: string;
  requestToken: string;
  /** Environment variable → token. */
  tokens: Readonly<Record<string, string>>;
  /** Environment variable → why its token was not issued. */
  refused: Readonly<Record<string, string>>;
  /** The names of an address and its request token in the step's environment. */
  requestNames: readonly RequestNames[];
  /** More names of the token of a build that declares one. */
  tokenNames: readonly string[];
};

type RequestNames = readonly [url: string, token: string];

/** The pair that `mayfly token` finds in every step, whatever others the profile of its source names. */
const OUR_NAMES = ['MAYFLY_ID_TOKEN_REQUEST_URL', 'MAYFLY_ID_TOKEN_REQUEST_TOKEN'] as const;

/** Under which names an address and a request token are looked for, and offered where a grant does not say. */
export const REQUEST_VARIABLES: readonly RequestNames[] = [
  OUR_NAMES,
  ['ACTIONS_ID_TOKEN_REQUEST_URL', 'ACTIONS_ID_TOKEN_REQUEST_TOKEN'],
  ['VELA_ID_TOKEN_REQUEST_URL', 'VELA_ID_TOKEN_REQUEST_TOKEN'],
];

type Source = {
  file: string | undefined;
  env: Environment;
  stdin: Readable;
  now: number;
  /** Ends the wait for standard input. */
  signal?: AbortSignal;
};

/** Finds the grant: in `file` (`-` for standard input) where one is named, else in the environment. */
export async function readGrant({ file, env, stdin, now, signal }: Source): Promise<Grant> {
  const input = () => text(signal ? addAbortSignal(signal, stdin) : stdin);
  const grant =
    file === undefined ? grantOf(env) : parseGrant(await (file === '-' ? input() : read(file)), now);
  if (!URL.canParse(grant.requestUrl) || !/^https?:$/.test(new URL(grant.requestUrl).protocol)) {
    throw new CommandError(
      'configuration',
      'the address to ask for tokens is no http(s) URL: ask for the grant again',
    );
  }
  return grant;
}

function grantOf(env: Environment): Grant {
  for (const [urlName, tokenName] of REQUEST_VARIABLES) {
    const [requestUrl, requestToken] = [env[urlName], env[tokenName]];
    if (requestUrl && requestToken)
      return { requestUrl, requestToken, tokens: {}, refused: {}, ...namesIn(undefined) };
    if (requestUrl || requestToken) {
      const missing = requestUrl ? tokenName : urlName;
      throw new CommandError(
        'configuration',
        `no grant: ${missing} is not set, though its other half is; set both`,
      );
    }
  }
  throw new CommandError(
    'configuration',
    'no grant: let the build declare id_tokens, so that its CI sets MAYFLY_ID_TOKEN_REQUEST_URL and …_TOKEN, or name a file with --grant',
  );
}

async function read(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    throw new CommandError('configuration', `no grant: ${file} cannot be read (${code}); check --grant`, {
      cause,
    });
  }
}

/** The cause is left out of the errors: it could quote the grant. */
function parseGrant(json: string, now: number): Grant {
  const value = parseJson(json);
  const faults = checkTokenGrant.faults(value);
  if (!checkTokenGrant.is(value)) {
    const where = faults.map(({ at }) => at || 'the whole of it').slice(0, 3);
    throw new CommandError(
      'configuration',
      `no grant: not what an issuer grants (${where.join(', ')}); pass it unchanged`,
    );
  }
  const { data } = value;
  if (data.deadline * 1000 <= now) {
    throw new CommandError('configuration', 'the grant has expired with its build: start a new build');
  }
  return {
    requestUrl: data.id_token_request_url,
    requestToken: data.id_token_request_token,
    tokens: data.id_tokens,
    refused: Object.fromEntries(
      Object.entries(data.id_token_errors ?? {}).map(([name, { error }]) => [name, error]),
    ),
    ...namesIn(data.variables),
  };
}

function namesIn(variables: GrantVariables | undefined): Pick<Grant, 'requestNames' | 'tokenNames'> {
  if (!variables) return { requestNames: REQUEST_VARIABLES, tokenNames: [] };
  const pairs = variables.request_url.flatMap((url, at): RequestNames[] => {
    const token = variables.request_token[at];
    return token === undefined || url === OUR_NAMES[0] ? [] : [[url, token]];
  });
  return { requestNames: [OUR_NAMES, ...pairs], tokenNames: variables.token };
}

function parseJson(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    throw new CommandError('configuration', 'no grant: it is not JSON; pass the grant as the issuer sent it');
  }
}
