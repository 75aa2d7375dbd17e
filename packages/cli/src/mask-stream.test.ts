import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { expect, test } from 'vitest';
import { leakWatch } from './leak-watch.ts';
import { maskStream } from './mask-stream.ts';
import { type SecretBook, secretBook } from './secret-book.ts';
import { testToken } from './testing.ts';

function streamFor(token: string, change: Partial<SecretBook> = {}) {
  const book = { ...secretBook(), ...change };
  book.add(token);
  const watch = leakWatch(book.all, () => {});
  return { stream: maskStream(book, watch) };
}

test('a short beginning of a secret is shown within 10 ms of running, and what follows it is masked', async () => {
  const token = testToken();
  const waits: number[] = [];
  for (let times = 0; times < 5; times++) {
    const { stream } = streamFor(token);
    stream.write(`? ${token.slice(0, 5)}`);
    expect(String(stream.read())).toBe('? ');
    const written = performance.now();
    await once(stream, 'readable');
    waits.push(performance.now() - written);

    expect(String(stream.read())).toBe(token.slice(0, 5));
    stream.end(`${token.slice(5)}!`);
    expect(await text(stream)).toBe('***!');
  }
  // The shortest, for the machine does other things too.
  expect(Math.min(...waits)).toBeLessThan(10 + 40);
});

test('an end that matches eight characters of a secret stays back until the stream ends', async () => {
  const token = testToken();
  const { stream } = streamFor(token);

  stream.write(token.slice(0, 8));
  stream.write(token.slice(8, 12));
  stream.end();

  expect(await text(stream)).toBe(token.slice(0, 12));
});

test('where masking fails the output ends with an error, and what was written is not shown', async () => {
  const { stream } = streamFor(testToken(), {
    index: () => {
      throw new RangeError('out of memory');
    },
  });
  let shown = '';
  stream.on('data', (chunk) => {
    shown += chunk;
  });

  stream.write('something');

  const [error] = (await once(stream, 'error')) as [Error];
  expect(error).toMatchObject({ failure: 'masking' });
  expect(shown).toBe('');
});
