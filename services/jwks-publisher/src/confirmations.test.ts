import { expect, test } from 'vitest';
import { confirmations } from './confirmations.ts';

test('a key set that nobody confirms is told once, and once more when somebody does', () => {
  let time = 0;
  const confirmed = new Set(['acme']);
  const said: string[] = [];
  const note =
    (level: string) =>
    ({ source }: { source: string }) =>
      said.push(`${level} ${source}`);
  const log = { warn: note('warn'), info: note('info') } as never;
  const sets = { isConfirmed: (source: string) => confirmed.has(source) };
  const { look, unconfirmed } = confirmations(['acme', 'other'], sets, log, () => time);

  look();
  expect([said, unconfirmed()]).toEqual([[], 1]);
  time = 5000;
  look();
  look();
  expect(said).toEqual(['warn other']);

  confirmed.add('other');
  confirmed.delete('acme');
  look();
  expect([said, unconfirmed()]).toEqual([['warn other', 'info other', 'warn acme'], 1]);
});
