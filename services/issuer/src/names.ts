import { createHash } from 'node:crypto';
import { ServiceError } from '@mayfly/contracts/errors';
import type { NameRecord } from '@mayfly/contracts/seen-names-schema';
import type { SaidName } from '@mayfly/profiles/names';
import type { NameKey, NameStore, StoredName } from './name-store.ts';

/** Keeps names from passing from one to another. */
export type Names = {
  /**
   * Takes the names that tokens of a build would say; returns where each is the build's own, and notes those that were
   * not seen before. Throws `access_denied` that says whose a name is and what an operator can do, or `temporarily_unavailable`.
   */
  confirm(source: string, names: readonly SaidName[]): Promise<void>;
  /** Says whether each name is taken as known to be the build's own, so that to confirm them reads and writes nothing. */
  isKnown(source: string, names: readonly SaidName[]): boolean;
};

type Parts = {
  store: NameStore;
  /** Hears of each name that was refused. */
  refused(name: NameKey, id: string | undefined, holder: string): void;
  /** Milliseconds that only grow. */
  clock(): number;
  /** Seconds since 1970. */
  now(): number;
};

type Said = NameKey & Pick<SaidName, 'id'>;

/** How long it is taken as known whose a name is, ms: for as long, a release is not noticed. */
const KNOWN_MS = 30_000;
const MOST_KNOWN = 100_000;
/** What is longer is remembered by its digest, characters. */
const LONGEST_WORD = 128;
const MOST_TRIES = 10;

/** Takes a store of names; gives the check of them, which asks the store only for names that it has not asked for of late. */
export function nameKeeper({ store, refused, clock, now }: Parts): Names {
  const known = new Map<string, { id: string | undefined; at: number }>();
  const wordOf = ({ source, kind, name }: NameKey) => {
    const word = `${source} ${kind} ${name}`;
    return word.length <= LONGEST_WORD ? word : createHash('sha256').update(word).digest('base64url');
  };
  const note = (said: Said) => {
    const word = wordOf(said);
    known.delete(word);
    known.set(word, { id: said.id, at: clock() });
    if (known.size > MOST_KNOWN) known.delete(known.keys().next().value as string);
  };
  const check = (said: Said, found: StoredName | undefined) => {
    const holder = found?.record.id;
    if (holder === undefined || holder === said.id) return;
    refused(said, said.id, holder);
    throw new ServiceError('access_denied', refusal(said, holder));
  };
  /** Gives for how long the name has been known to be this one's, ms; undefined where it is not. */
  const knownFor = (said: Said) => {
    const last = known.get(wordOf(said));
    return last !== undefined && last.id === said.id ? clock() - last.at : undefined;
  };
  /** Gives what there is to write, after which the name is known; undefined where it is taken as known. */
  const look = async (said: Said) => {
    try {
      const found = await store.read(said);
      check(said, found);
      return { said, found };
    } catch (error) {
      // Nobody can have given the name away where nothing can be read: what was so is so.
      const isSame = knownFor(said) !== undefined;
      if (isSame && error instanceof ServiceError && error.code === 'temporarily_unavailable')
        return undefined;
      throw error;
    }
  };
  const keep = async ({ said, found }: { said: Said; found: StoredName | undefined }) => {
    let newest = found;
    for (let tries = 0; said.id !== undefined && newest?.record.id === undefined; tries++) {
      if (tries === MOST_TRIES) throw new ServiceError('temporarily_unavailable', 'a name changes too often');
      const { source, kind, name, id } = said;
      const record: NameRecord = { source, kind, name, id, since: now() };
      if (await store.replace(record, newest?.revision ?? 0)) break;
      newest = await store.read(said);
      check(said, newest);
    }
    note(said);
  };
  const unknownOf = (source: string, names: readonly SaidName[]) =>
    names.map((name) => ({ source, ...name })).filter((said) => (knownFor(said) ?? KNOWN_MS) >= KNOWN_MS);
  return {
    isKnown: (source, names) => unknownOf(source, names).length === 0,
    async confirm(source, names) {
      // Nothing is noted of a build one of whose names is another's.
      const unknown = unknownOf(source, names);
      if (unknown.length === 0) return;
      const looked = await Promise.all(unknown.map(look));
      const open = looked.filter((one) => one !== undefined);
      const byName = Map.groupBy(open, ({ said }) => wordOf(said));
      // One after the other where several say one name: the first is whose it is.
      const keepAll = async (same: typeof open) => {
        for (const one of same) await keep(one);
      };
      await Promise.all([...byName.values()].map(keepAll));
    },
  };
}

function refusal({ source, kind, name, id }: Said, holder: string): string {
  const comes = id === undefined ? 'comes without an id' : `comes with id ${id}`;
  const command = `mayfly names release ${source} ${kind} ${quoted(name)}`;
  return `the name ${name} of this ${kind} belongs to id ${holder} and ${comes}; if that is right, an operator says: ${command}`;
}

/** As a shell reads it: a name may be whatever somebody called a pipeline. */
const quoted = (text: string) =>
  /^[A-Za-z0-9_./@:-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
