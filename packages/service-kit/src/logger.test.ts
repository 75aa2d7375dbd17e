import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { createLogger, inOneWrite } from './logger.ts';

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

test('what is logged in one turn is written once, in its order', async () => {
  const written: string[] = [];
  const log = createLogger('test', 'info', inOneWrite({ write: (text) => void written.push(text) }));

  for (const turn of [1, 2]) {
    log.info('first');
    log.info('second');
    await new Promise((resolve) => setImmediate(resolve));
    expect(written).toHaveLength(turn);
  }
  expect(written.join('').match(/"msg":"\w+"/g)).toEqual(
    ['first', 'second', 'first', 'second'].map((text) => `"msg":"${text}"`),
  );
});

test.each(['process.exit(3)', 'throw new Error("a bug")'])(
  'what is logged right before %s is written',
  (end) => {
    const logger = fileURLToPath(new URL('./logger.ts', import.meta.url));
    const code = `import { createLogger } from '${logger}'; createLogger('test', 'info').info('last words'); ${end};`;

    const { stdout } = spawnSync(process.execPath, ['--input-type=module', '-e', code], { encoding: 'utf8' });

    expect(stdout).toContain('last words');
  },
);
