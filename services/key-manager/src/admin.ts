import { ServiceError } from '@mayfly/contracts/errors';
import {
  checkListKeys,
  checkRevokeKey,
  checkRotateKeys,
  type KeyFacts,
  type KeysAnswer,
} from '@mayfly/contracts/keys';
import type { Keyring, SigningKey } from './keyring.ts';
import { ALGORITHMS, activeKey } from './keyring.ts';
import { changeKeyring, publishKeyring, readKeyring, type Shared } from './keyrings.ts';
import { activeFrom, due, goneAt, revokeKey } from './rotate.ts';
import type { RotationRules } from './rules.ts';
import type { Views } from './views.ts';

/** What an operator's command needs. */
export type Administration = Shared & {
  views: Pick<Views, 'confirm'>;
  sources: readonly string[];
};

/** The commands of operators, by verb: each takes the body of the request, and gives the answer. */
export const KEY_COMMANDS: Record<string, (body: unknown, admin: Administration) => Promise<KeysAnswer>> = {
  async list(body, admin) {
    const { source } = checkListKeys.parse(body);
    if (source !== undefined && !admin.sources.includes(source)) throw noSource();
    const asked = source === undefined ? admin.sources : [source];
    const keyrings = await Promise.all(asked.map((one) => readKeyring(one, admin)));
    return { keys: keyrings.flatMap(({ before: keyring }) => factsOf(keyring, admin.rules(keyring.source))) };
  },

  async rotate(body, admin) {
    const { source, alg, by } = checkRotateKeys.parse(body);
    if (!admin.sources.includes(source)) throw noSource();
    const asked = alg === undefined ? ALGORITHMS : [alg];
    const rules = admin.rules(source);
    const shared = await atLeaderTime(admin);
    const { before } = await readKeyring(source, shared);
    const unready = asked.filter((one) => !isReady(before, one, rules, shared.now()));
    if (unready.length > 0) {
      const times = unready.map((one) => readyAt(before, one, rules)).filter((time) => time !== undefined);
      const answer = {
        error: 'conflict',
        error_description: 'the standby has not been published for long enough',
      };
      return times.length < unready.length ? answer : { ...answer, not_before: seconds(Math.max(...times)) };
    }
    const olds = asked.map((one) => activeKey(before, one)?.kid);
    admin.log.info({ source, alg, by }, 'keys rotated on command');
    // A repeat finds another active key and asks for nothing: one command is one rotation.
    const changed = await changeKeyring(source, shared, (keyring) => ({
      keyring,
      asked: asked.filter((one) => olds.includes(activeKey(keyring, one)?.kid)),
    }));
    const keyring = await publishKeyring(changed, shared);
    return { keys: factsOf(keyring, rules).filter((key) => asked.includes(key.alg)) };
  },

  async revoke(body, admin) {
    const { kid, reason, by } = checkRevokeKey.parse(body);
    const shared = await atLeaderTime(admin);
    const source = await sourceOf(kid, shared);
    const changed = await changeKeyring(source, shared, (keyring) => ({
      keyring: keyring.keys.some((key) => key.kid === kid)
        ? revokeKey(keyring, kid, reason, shared.now())
        : keyring,
    }));
    admin.log.warn({ source, kid, reason, by }, 'key revoked');
    const keyring = await publishKeyring(changed, shared);
    // This replica then knows it at once; the others within their next question.
    await admin.views.confirm().catch(() => undefined);
    return { keys: factsOf(keyring, admin.rules(source)) };
  },
};

/** Any replica may be asked, also one whose clock is off: with it keys would go whose tokens are still good. */
async function atLeaderTime(admin: Administration): Promise<Administration> {
  const { time } = await admin.views.confirm().catch((cause: unknown) => {
    throw unknown(cause);
  });
  const offset = time - admin.now();
  return { ...admin, now: () => admin.now() + offset };
}

/**
 * A revocation is repeated where its answer was lost: a key that is revoked already still has its source. Throws
 * `not_found` where no keyring has it, `temporarily_unavailable` where one could not be looked into.
 */
async function sourceOf(kid: string, admin: Administration): Promise<string> {
  const known = await Promise.allSettled(admin.sources.map((source) => readKeyring(source, admin)));
  const keyrings = known.flatMap((result) => (result.status === 'fulfilled' ? [result.value.before] : []));
  const isOf = ({ keys, revoked }: Keyring) => [...keys, ...revoked].some((key) => key.kid === kid);
  const source = keyrings.find(isOf)?.source;
  if (source !== undefined) return source;
  const failed = known.find(({ status }) => status === 'rejected') as PromiseRejectedResult | undefined;
  if (failed) throw unknown(failed.reason);
  throw new ServiceError('not_found', 'no source has a key with this kid');
}

const unknown = (cause: unknown) =>
  new ServiceError('temporarily_unavailable', 'the keyrings cannot be read just now: ask again', { cause });

const noSource = () => new ServiceError('not_found', 'the source is not in mayfly.yaml');

const isReady = (keyring: Keyring, alg: SigningKey['alg'], rules: RotationRules, now: number) =>
  due(keyring, rules, now, [alg]).activate.some((kid) =>
    keyring.keys.some((key) => key.kid === kid && key.alg === alg),
  );

function readyAt({ keys }: Keyring, alg: SigningKey['alg'], rules: RotationRules): number | undefined {
  const standby = keys.find((key) => key.alg === alg && key.state === 'prepared');
  return standby && activeFrom(standby, rules);
}

const seconds = (ms: number) => Math.floor(ms / 1000);

/** Takes a keyring; gives what an operator is told of each key of it, with the times that lie ahead. */
export function factsOf(keyring: Keyring, rules: RotationRules): KeyFacts[] {
  const { source } = keyring;
  const keys = keyring.keys.map((key): KeyFacts => {
    const { kid, alg, state, preparedAt, publishedAt, activatedAt, retiredAt } = key;
    const next = nextOf(key, rules);
    return {
      ...{ source, kid, alg, state, prepared_at: seconds(preparedAt) },
      ...(publishedAt !== undefined && { published_at: seconds(publishedAt) }),
      ...(activatedAt !== undefined && { activated_at: seconds(activatedAt) }),
      ...(retiredAt !== undefined && { retired_at: seconds(retiredAt) }),
      ...(next && { next: { state: next.state, at: seconds(next.at) } }),
    };
  });
  const revoked = keyring.revoked.map(
    ({ kid, alg, at, reason }): KeyFacts => ({
      source,
      kid,
      alg,
      state: 'revoked',
      revoked_at: seconds(at),
      reason,
    }),
  );
  return [...keys, ...revoked];
}

function nextOf(key: SigningKey, rules: RotationRules) {
  const gone = goneAt(key, rules);
  if (gone !== undefined) return { state: 'gone' as const, at: gone };
  if (key.state === 'active' && key.activatedAt !== undefined)
    return { state: 'retired' as const, at: key.activatedAt + rules.rotateEveryMs };
  const from = activeFrom(key, rules);
  return key.state === 'prepared' && from !== undefined ? { state: 'active' as const, at: from } : undefined;
}
