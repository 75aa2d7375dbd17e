import { type KeyObject, randomUUID } from 'node:crypto';
import { deriveRequestToken } from '@mayfly/contracts/build-reference';
import { ServiceError } from '@mayfly/contracts/errors';
import {
  type AdmittedBuild,
  checkGrantRequest,
  type GrantVariables,
  type TokenGrant,
} from '@mayfly/contracts/events';
import type { Profile } from '@mayfly/profiles/profile';
import {
  findRunning,
  foundTooLongAgo,
  giveBack,
  type Issued,
  type Issuer,
  isJustFound,
  issueToken,
  type Running,
} from './issue.ts';

/** What granting needs beside issuing: the address for more tokens, and the key of request tokens. */
export type Granter = Issuer & { requestUrl: string; requestTokenKey: KeyObject };

/** A grant, and what was issued for it. */
export type Granted = { build: AdmittedBuild; grant: TokenGrant; issued: Issued[] };

/**
 * Makes the grant of a running build: every token that it declares, the address and the request token for more. A token
 * that is refused is left out, its reason beside; `isFirst` where it is the one that the build gets when it starts. Throws `access_denied` for a build that declares nothing, and
 * `temporarily_unavailable`.
 */
export async function grantTokens(running: Running, granter: Granter, isFirst: boolean): Promise<Granted> {
  const { build } = running;
  const { source, attempt, id_tokens, digest, deadline } = build;
  if (!id_tokens) throw new ServiceError('access_denied', 'the build declares no tokens');
  const declared = Object.entries(id_tokens);
  const undo = ([, result]: readonly [string, Issued | Refusal]) =>
    'token' in result && giveBack(build, result.counted, granter);
  const results = await allOrNone(
    declared.map(async ([name, { aud }], at) => {
      const first = isFirst ? at : undefined;
      return [name, await issueOrRefuse(running, aud, granter, first)] as const;
    }),
    undo,
  );
  if (!isJustFound(running, granter)) {
    results.forEach(undo);
    throw foundTooLongAgo();
  }
  const issued = results.flatMap(([name, result]) => ('token' in result ? [[name, result] as const] : []));
  const refused = results.filter(([, result]) => !('token' in result));
  const profile = granter.sources.get(source)?.profile;
  const reference = { source, id: build.build.id, attempt };
  const grant: TokenGrant = {
    specversion: '1.0',
    id: randomUUID(),
    source,
    type: 'dev.mayfly.tokens.granted',
    time: new Date(granter.now()).toISOString(),
    data: {
      id: build.build.id,
      attempt,
      id_tokens: Object.fromEntries(issued.map(([name, { token }]) => [name, token])),
      ...(refused.length > 0 ? { id_token_errors: Object.fromEntries(refused) as Refused } : {}),
      ...(issued.length > 0 ? { expires_at: Math.min(...issued.map(([, { expiresAt }]) => expiresAt)) } : {}),
      id_token_request_url: granter.requestUrl,
      id_token_request_token: deriveRequestToken(reference, digest, granter.requestTokenKey),
      ...(profile && { variables: namesFor(profile) }),
      deadline: Math.floor(deadline / 1000),
    },
  };
  return { build, grant, issued: issued.map(([, one]) => one) };
}

/** Takes a source and its request for a grant; gives the grant. Throws `not_found` unless the build runs. */
export async function regrant(source: string, request: unknown, granter: Granter): Promise<Granted> {
  const { id, attempt = 1 } = checkGrantRequest.parse(request);
  const running = await findRunning({ source, id, attempt }, granter);
  if (!running) throw new ServiceError('not_found', 'no such build runs');
  return await grantTokens(running, granter, false);
}

function namesFor({ variables: { requestUrl, requestToken, token } }: Profile): GrantVariables {
  return { request_url: [...requestUrl], request_token: [...requestToken], token: [...token] };
}

/** Gives what all give; where one throws, undoes the others and throws it. */
async function allOrNone<T>(acts: Promise<T>[], undo: (done: T) => void): Promise<T[]> {
  const settled = await Promise.allSettled(acts);
  const failed = settled.find(({ status }) => status === 'rejected');
  const done = settled.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
  if (!failed) return done;
  done.forEach(undo);
  throw (failed as PromiseRejectedResult).reason;
}

type Refused = NonNullable<TokenGrant['data']['id_token_errors']>;
type Refusal = Refused[string];

async function issueOrRefuse(
  running: Running,
  audience: string | string[],
  issuer: Issuer,
  declared?: number,
): Promise<Issued | Refusal> {
  try {
    return await issueToken(running, { audience }, issuer, declared);
  } catch (error) {
    if (!(error instanceof ServiceError) || error.code === 'temporarily_unavailable') throw error;
    return { error: error.code, error_description: error.message };
  }
}
