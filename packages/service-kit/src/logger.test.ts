import { expect, test } from 'vitest';
import { createLogger } from './logger.ts';

/** Logs fields; gives the line. */
function lineOf(fields: Record<string, unknown>): string {
  const lines: string[] = [];
  createLogger('test', 'info', { write: (line) => void lines.push(line) }).info(fields, 'said');
  return lines.join('');
}

const SECRETS = [
  ...['token', 'id_tokens', 'id_token_request_token', 'password', 'authorization', 'headers', 'claims'],
];

test.each(SECRETS)('no line shows %s, as a field, in a field, or of an error', (name) => {
  const inError = Object.assign(new Error('failed'), { [name]: 'hunter2' });

  const shown = [{ [name]: 'hunter2' }, { any: { [name]: 'hunter2' } }, { err: inError }, { cause: inError }];
  const lines = shown.map(lineOf);

  for (const line of lines) expect(line).toContain(`"${name}":"[redacted]"`);
  expect(lines.join('')).not.toContain('hunter2');
});

test('what is no secret is logged as it is, and what was given is not changed', () => {
  const fields = { jti: 'j', place: { seq: 1, token: 'hunter2' }, list: ['a'], none: null };

  const line: unknown = JSON.parse(lineOf(fields));

  expect(line).toMatchObject({
    ...{ service: 'test', msg: 'said', jti: 'j', list: ['a'], none: null },
    place: { seq: 1, token: '[redacted]' },
  });
  expect(fields.place.token).toBe('hunter2');
});
