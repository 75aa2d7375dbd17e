import { createHash } from 'node:crypto';
import { NAMES_BUCKET } from '@mayfly/contracts/bus';
import { ServiceError } from '@mayfly/contracts/errors';
import {
  checkNameRecord,
  type ListNames,
  type NameKind,
  type NameRecord,
} from '@mayfly/contracts/seen-names-schema';
import type { JetStreamClient, JetStreamManager } from '@nats-io/jetstream';

/** Which name: of a source, of a kind. */
export type NameKey = { source: string; kind: NameKind; name: string };

/** A record, and the revision that the next change has to name. */
export type StoredName = { record: NameRecord; revision: number };

/** Where it is kept whose each name is. Every change is a compare-and-set; what cannot be read throws `temporarily_unavailable`. */
export type NameStore = {
  /** Gives the newest record of a name, by a read of the leader; undefined where there is none. */
  read(key: NameKey): Promise<StoredName | undefined>;
  /** Stores a record if `revision` (0: none) is still the newest; says whether it was. */
  replace(record: NameRecord, revision: number): Promise<boolean>;
  /** Gives the first record after a revision, of any source or kind that is not said. */
  after(revision: number, which: Pick<ListNames, 'source' | 'kind'>): Promise<StoredName | undefined>;
};

const STREAM = `KV_${NAMES_BUCKET}`;
const WRONG_LAST_SEQUENCE = 10071;
const TIMEOUT_MS = 1000;

/** Takes JetStream; gives the store in its bucket. */
export function nameStore(js: JetStreamClient, jsm: JetStreamManager): NameStore {
  const get = (query: { last_by_subj: string } | { seq: number; next_by_subj: string }) =>
    unlessUnavailable(async () => {
      const message = await jsm.streams.getMessage(STREAM, query);
      if (!message) return undefined;
      return { record: checkNameRecord.parse(message.json(), 'server_error'), revision: message.seq };
    });
  return {
    async read(key) {
      const found = await get({ last_by_subj: subjectOf(key) });
      if (found && found.record.name !== key.name) {
        throw new ServiceError('server_error', 'the record of a name is of another');
      }
      return found;
    },
    replace: (record, revision) =>
      unlessUnavailable(async () => {
        // What could not be read again must not stand there: nobody could release it.
        checkNameRecord.parse(record, 'server_error');
        try {
          const expect = { lastSubjectSequence: revision };
          await js.publish(subjectOf(record), JSON.stringify(record), { expect, timeout: TIMEOUT_MS });
          return true;
        } catch (error) {
          if ((error as { code?: number }).code === WRONG_LAST_SEQUENCE) return false;
          throw error;
        }
      }),
    after: (revision, { source = '*', kind = '*' }) =>
      get({ seq: revision + 1, next_by_subj: `$KV.${NAMES_BUCKET}.${source}.${kind}.*` }),
  };
}

/** Names hold every sign there is, and are longer than a subject may be: their digest stands for them. */
function subjectOf({ source, kind, name }: NameKey): string {
  return `$KV.${NAMES_BUCKET}.${source}.${kind}.${createHash('sha256').update(name).digest('base64url')}`;
}

async function unlessUnavailable<T>(act: () => Promise<T>): Promise<T> {
  try {
    return await act();
  } catch (cause) {
    if (cause instanceof ServiceError) throw cause;
    throw new ServiceError('temporarily_unavailable', 'it cannot be read whose the names of the build are', {
      cause,
    });
  }
}
