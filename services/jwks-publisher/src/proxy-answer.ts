import type { VerifyPolicy } from '@mayfly/contracts/policy';
import { type Judge, judge } from './active.ts';
import type { IdTokenClaims } from './token.ts';

/** What a proxy is told: let through with these headers, or which failure it is. */
export type ProxyAnswer =
  | { allowed: true; headers: Record<string, string> }
  | { allowed: false; isToken: boolean };

/** The identity headers where policy names none. */
const DEFAULT_HEADERS = { 'x-mayfly-subject': 'sub' };

/**
 * Says whether a request with this token may pass, and which identity headers it gets: every configured one, empty where
 * the token does not say, so that none that the request came with survives. Throws `temporarily_unavailable`.
 */
export async function answerProxy(
  token: string,
  { audience, claims: required = {}, headers = DEFAULT_HEADERS }: VerifyPolicy,
  judged: Judge,
): Promise<ProxyAnswer> {
  const judgement = await judge(token, (one) => one === audience, judged);
  if (!judgement.active) return { allowed: false, isToken: false };
  const { claims } = judgement;
  const holds = Object.entries(required).every(([name, wanted]) => isOneOf(claims, name, [wanted].flat()));
  if (!holds) return { allowed: false, isToken: true };
  const values = Object.entries(headers).map(([header, name]) => [
    header,
    headerValue(claimOf(claims, name)),
  ]);
  return { allowed: true, headers: Object.fromEntries(values) };
}

function claimOf(claims: IdTokenClaims, name: string): unknown {
  return Object.hasOwn(claims, name) ? claims[name] : undefined;
}

function isOneOf(claims: IdTokenClaims, name: string, wanted: string[]): boolean {
  const value = claimOf(claims, name);
  const isScalar = ['string', 'number', 'boolean'].includes(typeof value);
  return isScalar && wanted.includes(String(value));
}

/**
 * Takes a claim; gives it as one line of visible ASCII. What is more than that is written as RFC 8187 §3.2.1 writes it,
 * so that two different claims never look alike.
 */
function headerValue(claim: unknown): string {
  if (claim === undefined || claim === null) return '';
  const text = typeof claim === 'object' ? JSON.stringify(claim) : String(claim);
  const isPlain = /^(?! )[\x20-\x7e]*(?<! )$/.test(text) && !text.startsWith("UTF-8''");
  return isPlain ? text : `UTF-8''${encodeURIComponent(text.toWellFormed())}`;
}
