import { expect, test } from 'vitest';
import { type FeedPlaces, feedPlaces } from './feed-places.ts';

const take = (places: FeedPlaces, network: string, count: number, gone: string[] = []) =>
  Array.from({ length: count }, () => places.take(network, () => void gone.push(network)));

test('one network may take every place, until somebody else comes', () => {
  const places = feedPlaces(10);
  const gone: string[] = [];
  expect(take(places, 'a', 11, gone).filter(Boolean)).toHaveLength(10);

  expect(take(places, 'b', 7, gone).filter(Boolean)).toHaveLength(5);
  expect(gone).toEqual(Array.from({ length: 5 }, () => 'a'));
  expect(take(places, 'c', 1, gone).filter(Boolean)).toHaveLength(1);
  expect(places.taken()).toBe(10);
  expect(take(places, 'a', 3, gone).filter(Boolean)).toHaveLength(0);
});

test('places that are left are there again, and left once', () => {
  const places = feedPlaces(2);
  const [first, second] = take(places, 'a', 2);
  first?.();
  first?.();
  expect(places.taken()).toBe(1);
  expect(take(places, 'b', 1).filter(Boolean)).toHaveLength(1);
  expect(take(places, 'b', 1).filter(Boolean)).toHaveLength(0);
  second?.();
  expect(take(places, 'b', 1).filter(Boolean)).toHaveLength(1);
});

test('who is sent away leaves once, however often the connection closes', () => {
  const places = feedPlaces(1);
  const leave = places.take('a', () => leave?.());
  take(places, 'a', 1);
  places.close();
  expect(places.taken()).toBe(0);
  leave?.();
  expect(places.taken()).toBe(0);
});
