import { ServiceError } from '@mayfly/contracts/errors';
import type { SaidName } from '@mayfly/profiles/names';
import { expect, test } from 'vitest';
import type { NameStore } from './name-store.ts';
import { nameKeeper } from './names.ts';
import { namesInMemory } from './testing.ts';

const hello = (id: string | undefined): SaidName => ({ kind: 'repository', name: 'octo/hello', id });
const octo = (id: string): SaidName => ({ kind: 'organization', name: 'octo', id });

function keeper(store: NameStore, time = { ms: 0 }) {
  const refused: string[] = [];
  const names = nameKeeper({
    store,
    refused: ({ kind }, id, holder) => void refused.push(`${kind} ${id} ${holder}`),
    clock: () => time.ms,
    now: () => 1_700_000_000,
  });
  const ask = (...said: SaidName[]) =>
    names.confirm('acme', said).then(
      () => 'its own',
      (error: unknown) => (error instanceof ServiceError ? `${error.code}: ${error.message}` : String(error)),
    );
  return { ask, names, refused, time };
}

/** A store that can be made unreadable. */
function fragile() {
  const store = namesInMemory();
  const state: { isDown: boolean } = { isDown: false };
  const unlessDown = <A extends unknown[], R>(act: (...args: A) => Promise<R>) => {
    return async (...args: A) => {
      if (state.isDown) throw new ServiceError('temporarily_unavailable', 'down');
      return await act(...args);
    };
  };
  return {
    state,
    store: { read: unlessDown(store.read), replace: unlessDown(store.replace), after: store.after },
  };
}

test('a name seen before with another id is refused, and the refusal says what an operator can do', async () => {
  const { ask, refused } = keeper(namesInMemory());

  expect(await ask(hello('1'))).toBe('its own');
  expect(await ask(hello('1'))).toBe('its own');
  expect(await ask(hello('2'))).toBe(
    'access_denied: the name octo/hello of this repository belongs to id 1 and comes with id 2; if that is right, an operator says: mayfly names release acme repository octo/hello',
  );
  expect(refused).toEqual(['repository 2 1']);
});

test('a name with an id on record is refused to a build that says none, and free for it without', async () => {
  const { ask } = keeper(namesInMemory());

  expect(await ask(hello(undefined))).toBe('its own');
  expect(await ask(hello('1'))).toBe('its own');
  expect(await ask(hello(undefined))).toMatch(/^access_denied: .* belongs to id 1 and comes without an id; /);
});

test('a name of one kind or one source says nothing of another', async () => {
  const store = namesInMemory();
  const { ask } = keeper(store);
  await ask(octo('1'));

  expect(await ask({ kind: 'owner', name: 'octo', id: '2' })).toBe('its own');
  expect((await store.after(0, { source: 'other' }))?.record).toBeUndefined();
});

test('of two replicas that see a name first at once, one notes it and the other keeps to that', async () => {
  const store = namesInMemory();
  const [one, other] = [keeper(store), keeper(store)];

  const answers = await Promise.all([one.ask(hello('1')), other.ask(hello('2'))]);

  expect(answers.filter((answer) => answer === 'its own')).toHaveLength(1);
});

test('a name of which the same is known is not asked for again for half a minute', async () => {
  const store = namesInMemory();
  const { ask, time } = keeper(store);
  await ask(hello('1'));
  const reads = store.reads();

  time.ms = 29_999;
  await ask(hello('1'));
  expect(store.reads()).toBe(reads);
  time.ms = 30_001;
  await ask(hello('1'));
  expect(store.reads()).toBe(reads + 1);
});

test('a name is known to be its own for half a minute after it was asked for, and to be no other', async () => {
  const time = { ms: 0 };
  const { ask, names } = keeper(namesInMemory(), time);
  expect(names.isKnown('acme', [hello('1')])).toBe(false);
  await ask(hello('1'));

  expect(names.isKnown('acme', [hello('1')])).toBe(true);
  expect(names.isKnown('acme', [hello('1'), octo('2')])).toBe(false);
  expect(names.isKnown('acme', [hello('2')])).toBe(false);
  expect(names.isKnown('other', [hello('1')])).toBe(false);
  time.ms = 30_000;
  expect(names.isKnown('acme', [hello('1')])).toBe(false);
});

test('while nothing can be read, names that are known go on and all others wait', async () => {
  const { store, state } = fragile();
  const { ask, time } = keeper(store);
  await ask(hello('1'));

  state.isDown = true;
  time.ms = 3_600_000;
  expect(await ask(hello('1'))).toBe('its own');
  expect(await ask(hello('2'))).toMatch(/^temporarily_unavailable/);
  expect(await ask(octo('1'))).toMatch(/^temporarily_unavailable/);
});

test('of a build one of whose names belongs to another nothing is noted', async () => {
  const store = namesInMemory();
  const { ask } = keeper(store);
  await ask(octo('1'));

  expect(await ask({ kind: 'repository', name: 'octo/new', id: '7' }, octo('2'))).toMatch(/^access_denied/);
  expect(await ask({ kind: 'repository', name: 'octo/new', id: '8' })).toBe('its own');
});

test('a build that says one name with two ids is refused, and the first of them keeps it', async () => {
  const { ask } = keeper(namesInMemory());

  expect(await ask(hello('1'), hello('2'))).toMatch(/belongs to id 1 and comes with id 2/);
  expect(await ask(hello('1'))).toBe('its own');
});

test('the command in a refusal is one word to a shell, whatever the name', async () => {
  const { ask } = keeper(namesInMemory());
  const name = "x'; $(touch mine) `id`";
  await ask({ kind: 'pipeline', name, id: '1' });

  expect(await ask({ kind: 'pipeline', name, id: '2' })).toMatch(/pipeline 'x'\\''; \$\(touch mine\) `id`'$/);
});

test('a name of any length is known by itself alone', async () => {
  const { ask, names } = keeper(namesInMemory());
  const long = (end: string): SaidName => ({ kind: 'pipeline', name: 'x'.repeat(8000) + end, id: '1' });
  expect(await ask(long('a'))).toBe('its own');

  expect(names.isKnown('acme', [long('a')])).toBe(true);
  expect(names.isKnown('acme', [long('b')])).toBe(false);
});
