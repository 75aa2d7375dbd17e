import { expect, test } from 'vitest';
import { readCommand, readJson } from './json.ts';

const bytes = (text: string) => Buffer.from(text);

test('a message is JSON in UTF-8, and nothing else', () => {
  expect(readJson(bytes('{"a":"é"}'), 'event')).toEqual({ a: 'é' });
  const notJson = [bytes('{'), bytes(''), Buffer.from([0x22, 0xff, 0x22]), Buffer.from('"é"', 'latin1')];
  for (const data of [...notJson, Buffer.from('{}', 'utf16le')])
    expect(() => readJson(data, 'event')).toThrow(
      expect.objectContaining({ code: 'invalid_request', message: 'the event is not JSON in UTF-8' }),
    );
  // What came before leaves nothing behind.
  expect(readJson(bytes('1'), 'event')).toBe(1);
});

test('a command that says nothing asks for nothing', () => {
  expect(readCommand(bytes(''))).toEqual({});
  expect(readCommand(bytes('{"a":1}'))).toEqual({ a: 1 });
  expect(() => readCommand(bytes('{'))).toThrow('the request is not JSON in UTF-8');
});
