import type { Logger } from 'pino';
import { expect, test } from 'vitest';
import { NAME_COMMANDS } from './name-commands.ts';
import { nameKeeper } from './names.ts';
import { namesInMemory } from './testing.ts';

const silent = { warn: () => undefined } as unknown as Logger;

function system() {
  const store = namesInMemory();
  const commands = { store, now: () => 1_700_000_000, log: silent };
  const replica = () =>
    nameKeeper({ store, refused: () => undefined, clock: () => performance.now(), now: commands.now });
  const see = (name: string, id: string) => replica().confirm('acme', [{ kind: 'repository', name, id }]);
  const send = async (verb: string, body: object) => await NAME_COMMANDS[verb]?.(body, commands);
  return { see, send };
}

test('a released name goes to the next id that is seen, and to no other after it', async () => {
  const { see, send } = system();
  await see('octo/hello', '1');

  const answer = await send('release', { source: 'acme', kind: 'repository', name: 'octo/hello' });

  expect(answer).toMatchObject({ name: 'octo/hello', released: '1' });
  await see('octo/hello', '2');
  await expect(see('octo/hello', '1')).rejects.toThrow(/belongs to id 2/);
});

test('a name can be given to one id, and then only that has it', async () => {
  const { see, send } = system();
  await see('octo/hello', '1');

  await send('release', { source: 'acme', kind: 'repository', name: 'octo/hello', id: '3' });

  await expect(see('octo/hello', '2')).rejects.toThrow(/belongs to id 3/);
  await see('octo/hello', '3');
});

test('a name that nobody came with cannot be released', async () => {
  const { send } = system();

  await expect(send('release', { source: 'acme', kind: 'repository', name: 'octo/none' })).rejects.toThrow(
    'no build came with that name',
  );
});

test('names are listed by their beginning, a page at a time', async () => {
  const { see, send } = system();
  for (const name of ['octo/a', 'other/b', 'octo/c', 'octo/d']) await see(name, '1');

  const first = (await send('list', { source: 'acme', prefix: 'octo/', limit: 2 })) as Page;
  const second = (await send('list', { prefix: 'octo/', after: first.next })) as Page;

  expect(first.names.map(({ name }) => name)).toEqual(['octo/a', 'octo/c']);
  expect(second.names.map(({ name }) => name)).toEqual(['octo/d']);
  expect(second.next).toBeUndefined();
});

type Page = { names: { name: string }[]; next?: number };
