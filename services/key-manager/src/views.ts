import { ServiceError } from '@mayfly/contracts/errors';
import { MAX_CLOCK_OFFSET_MS } from '@mayfly/contracts/signing';
import type { Keyring } from './keyring.ts';
import type { KeyStore, StoreState } from './store.ts';

/** What this replica knows of the keyrings, and how sure it is. */
export type Views = {
  /** Gives the keyring of a source, if the leader confirmed it within the last second. */
  now(source: string): Keyring | undefined;
  /** The same, after asking the leader where that is too long ago. Throws `temporarily_unavailable`. */
  confirmed(source: string): Promise<Keyring>;
  /** Asks the leader whether anything has changed, and takes in what has. One question at a time. */
  confirm(): Promise<StoreState>;
  /**
   * Gives the sources of which the leader holds an older keyring than was there before, as after a power cut or a backup: a key that
   * was revoked since may be active in it. Until a newer one is stored, those sources are not signed for.
   */
  wentBack(): string[];
  /** Gives the newest keyring of a source that was ever read. */
  newest(source: string): Keyring | undefined;
};

/** What views need; the two clocks are monotonic and of the wall, ms. */
export type Viewing = {
  store: Pick<KeyStore, 'state' | 'changedAfter'>;
  /** Opens a sealed keyring; undefined where it is none of ours, or cannot be opened. */
  open(source: string, sealed: string, revision: number): Promise<Keyring | undefined>;
  /** Makes the active keys of a keyring fit to sign with; the view is used only after it. */
  prepare(keyring: Keyring): Promise<void>;
  changed(keyrings: Keyring[]): void;
  monotonic(): number;
  wall(): number;
};

/** A view that was confirmed longer ago is not signed on. */
export const MAX_VIEW_AGE_MS = 1000;

type View = { keyring: Keyring; isReady: boolean; preparing: Promise<void> | undefined };
/** The keyrings up to a revision. */
type Read = { views: Map<string, View>; revision: number };
type State = Read & {
  created: string;
  /** The newest keyring of each source that was ever read. */
  newest: Map<string, Keyring>;
  /** What has been read of the changes since, while there are more. */
  reading: Read | undefined;
  confirmedAt: { monotonic: number; wall: number } | undefined;
  /** How far our wall clock is from the leader's, ms. */
  offset: number;
};

/** Opens the views, none known at first. */
export function keyViews(viewing: Viewing): Views {
  const state: State = {
    views: new Map(),
    created: '',
    newest: new Map(),
    revision: 0,
    reading: undefined,
    confirmedAt: undefined,
    offset: 0,
  };
  const isOlder = ({ source, version }: Keyring) => version < (state.newest.get(source)?.version ?? 0);
  let asking: Promise<StoreState> | undefined;
  const now = (source: string) => {
    const view = state.views.get(source);
    return view?.isReady && !isOlder(view.keyring) && isFresh(state, viewing) ? view.keyring : undefined;
  };
  const confirm = () => {
    asking ??= ask(state, viewing).finally(() => {
      asking = undefined;
    });
    return asking;
  };
  const confirmed = async (source: string) => {
    for (let tries = 0; tries < 2; tries++) {
      if (tries > 0 || !isFresh(state, viewing)) await confirm();
      await state.views.get(source)?.preparing;
      const keyring = now(source);
      if (keyring) return keyring;
    }
    throw new Error('the answer came too late');
  };
  return {
    now,
    confirm,
    wentBack: () =>
      [...state.views.values()].flatMap(({ keyring }) => (isOlder(keyring) ? keyring.source : [])),
    newest: (source) => state.newest.get(source),
    confirmed: (source) =>
      confirmed(source).catch((cause: unknown) => {
        throw new ServiceError('temporarily_unavailable', 'the keyring cannot be confirmed', { cause });
      }),
  };
}

/** Says whether a view may be signed on. The monotonic clock stands still while a virtual machine is suspended; the wall clock then jumps. */
function isFresh({ confirmedAt, offset }: State, { monotonic, wall }: Viewing): boolean {
  return (
    confirmedAt !== undefined &&
    // Beyond it nobody can say when a token expires.
    Math.abs(offset) <= MAX_CLOCK_OFFSET_MS &&
    monotonic() - confirmedAt.monotonic < MAX_VIEW_AGE_MS &&
    wall() - confirmedAt.wall < MAX_VIEW_AGE_MS
  );
}

async function ask(state: State, viewing: Viewing): Promise<StoreState> {
  const asked = { monotonic: viewing.monotonic(), wall: viewing.wall() };
  const stored = await viewing.store.state();
  if (stored.created !== state.created || stored.revision < state.revision) {
    state.views = new Map();
    state.created = stored.created;
    state.revision = 0;
    state.reading = undefined;
    state.confirmedAt = undefined;
  }
  const isChanged = stored.revision > state.revision;
  if (isChanged) await takeChanges(state, stored.revision, viewing);
  state.confirmedAt = asked;
  state.offset = stored.time - (asked.wall + viewing.wall()) / 2;
  for (const view of state.views.values()) makeReady(view, viewing);
  if (isChanged) viewing.changed([...state.views.values()].map(({ keyring }) => keyring));
  return stored;
}

/**
 * Reads every change up to the newest revision; after a failure what was read before it is not read again. They are taken in
 * all at once, when all are there: until then the views of before are signed on, for as long as they were confirmed for, and
 * nobody finds one half made.
 */
async function takeChanges(state: State, newest: number, { store, open }: Viewing): Promise<void> {
  state.reading ??= { views: new Map(state.views), revision: state.revision };
  const { reading } = state;
  while (reading.revision < newest) {
    const next = await store.changedAfter(reading.revision);
    if (!next) throw new Error('the leader does not give what it has');
    const keyring = await open(next.source, next.sealed, next.revision);
    if (keyring) reading.views.set(next.source, { keyring, isReady: false, preparing: undefined });
    else reading.views.delete(next.source);
    reading.revision = next.revision;
  }
  Object.assign(state, reading, { reading: undefined });
  for (const { keyring } of state.views.values()) {
    if (keyring.version >= (state.newest.get(keyring.source)?.version ?? 0))
      state.newest.set(keyring.source, keyring);
  }
}

function makeReady(view: View, { prepare }: Viewing): void {
  if (view.isReady || view.preparing !== undefined) return;
  view.preparing = prepare(view.keyring)
    .then(
      () => {
        view.isReady = true;
      },
      () => undefined,
    )
    .finally(() => {
      view.preparing = undefined;
    });
}
