import { setTimeout as delay } from 'node:timers/promises';
import { CommandError } from './exit-codes.ts';
import type { IssuedToken, TokenRequest } from './issuer.ts';
import { readClaims } from './jwt-claims.ts';
import { backOff } from './patience.ts';

/** A token in a file, that is replaced before it is old. */
export type KeptToken = {
  name: string;
  audiences: readonly string[];
  token: string;
  /** For how long it is used after it was read: it is replaced that much before its end, if it lives long enough. */
  heldSeconds?: number;
};

/** What keeping fresh needs; time and chance come in as arguments. */
export type Keeper = {
  issue(request: TokenRequest): Promise<IssuedToken>;
  /** Takes the new token, before anybody else can know it. */
  replace(name: string, token: string): void;
  warn(line: string): void;
  signal: AbortSignal;
  now(): number;
  random(): number;
};

/** A token is replaced when this much of its life is over, and a bit that chance decides. */
const REPLACED_AFTER = 0.6;
const REPLACED_SPREAD = 0.15;
/** Where somebody holds on to it: not so soon that we would ask without end, and with time to fetch the next one. */
const REPLACED_AT_SOONEST = 0.2;
const REPLACED_BEFORE_MS = 30_000;

/** Keeps one token fresh until the signal, or until its issuer says no. */
export async function keepFresh(first: KeptToken, keeper: Keeper): Promise<void> {
  const { heldSeconds = 0 } = first;
  let waitMs = untilDue(first.token, keeper, heldSeconds);
  let failures = 0;
  while (await waited(waitMs, keeper.signal)) {
    const result = await replaceOnce(first, keeper);
    if (result === 'over') return;
    failures = result === 'failed' ? failures + 1 : 0;
    waitMs =
      result === 'failed'
        ? backOff(failures, keeper.random())
        : ageToReplace(result, keeper.random(), heldSeconds);
  }
}

type Replaced = { issuedAt: number; expiresAt: number };

async function replaceOnce(
  { name, audiences }: KeptToken,
  keeper: Keeper,
): Promise<Replaced | 'failed' | 'over'> {
  try {
    const { token } = await keeper.issue({ audiences });
    if (keeper.signal.aborted) return 'over';
    keeper.replace(name, token);
    return readClaims(token) ?? 'failed';
  } catch (error) {
    if (keeper.signal.aborted) return 'over';
    if (!(error instanceof CommandError)) throw error;
    keeper.warn(`${name} could not be refreshed: ${error.message}`);
    return isFinal(error) ? 'over' : 'failed';
  }
}

/** Says whether it was the issuer that said no, and not something in its place, or our own room to mask that is full now. */
function isFinal({ failure, code }: CommandError): boolean {
  return failure === 'refused' && code !== undefined && !code.startsWith('status ');
}

/** How long until a token that may have been issued a while ago is to be replaced, ms. */
export function untilDue(
  token: string,
  { now, random }: Pick<Keeper, 'now' | 'random'>,
  heldSeconds = 0,
): number {
  const claims = readClaims(token);
  if (!claims) return 0;
  const ageMs = ageToReplace(claims, random(), heldSeconds);
  return Math.max(0, Math.min(ageMs, claims.issuedAt * 1000 + ageMs - now()));
}

/** Counted from when it came, for our clock may not be the issuer's. */
function ageToReplace({ issuedAt, expiresAt }: Replaced, chance: number, heldSeconds: number): number {
  const lifeMs = Math.max(1, expiresAt - issuedAt) * 1000;
  const usual = lifeMs * (REPLACED_AFTER + REPLACED_SPREAD * chance);
  const latest = lifeMs - heldSeconds * 1000 - REPLACED_BEFORE_MS;
  return latest < lifeMs * REPLACED_AT_SOONEST ? usual : Math.min(usual, latest);
}

async function waited(ms: number, signal: AbortSignal): Promise<boolean> {
  return await delay(ms, true, { signal, ref: false }).catch(() => false);
}
