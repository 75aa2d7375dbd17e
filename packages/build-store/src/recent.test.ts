import { expect, test } from 'vitest';
import { recent } from './recent.ts';

test('the latest names are remembered, and no more than were asked for', () => {
  const names = recent<number>(10);
  for (let name = 0; name < 100; name++) {
    names.set(`${name}`, name);
    const known = Array.from({ length: name + 1 }, (_, at) => names.get(`${at}`)).filter(
      (value) => value !== undefined,
    );
    expect(known.at(-1)).toBe(name);
    expect(known.length).toBeLessThanOrEqual(10);
    expect(known.length).toBeGreaterThanOrEqual(Math.min(name + 1, 5));
  }
});

test('a name has the value that it was given last', () => {
  const names = recent<string>(4);
  for (const value of ['a', 'b', 'c']) names.set('one', value);

  expect(names.get('one')).toBe('c');
  expect(names.get('other')).toBeUndefined();
});

test('a name that is deleted is not remembered, however long ago it was set', () => {
  const names = recent<number>(4);
  names.set('old', 1);
  names.set('other', 2);
  names.set('old', 3);
  names.delete('old');

  expect(names.get('old')).toBeUndefined();
  expect(names.get('other')).toBe(2);
});
