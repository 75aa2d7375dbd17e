import type { KeyFacts } from '@mayfly/contracts/keys';

/** Takes what is known of some keys; gives it as a table for a terminal. */
export function keysTable(keys: readonly KeyFacts[]): string {
  const rows = keys.map((key) => [key.source, key.alg, key.state, key.kid, since(key), next(key)]);
  const heads = ['SOURCE', 'ALG', 'STATE', 'KID', 'SINCE', 'NEXT'];
  const table = [heads, ...rows];
  const widths = heads.map((_, column) => Math.max(...table.map((row) => row[column]?.length ?? 0)));
  const line = (row: string[]) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd();
  return `${table.map(line).join('\n')}\n`;
}

function since({ state, prepared_at, activated_at, retired_at, revoked_at }: KeyFacts): string {
  return time(
    { prepared: prepared_at, active: activated_at, retired: retired_at, revoked: revoked_at }[state],
  );
}

function next({ next: step, state, reason }: KeyFacts): string {
  if (state === 'revoked') return reason ?? '';
  if (!step) return state === 'prepared' ? 'not published yet' : '';
  return `${WORDS[step.state]} ${time(step.at)}`;
}

const WORDS = { active: 'may sign from', retired: 'retires', gone: 'gone' } as const;

const time = (seconds: number | undefined) =>
  seconds === undefined ? '' : new Date(seconds * 1000).toISOString().replace('.000Z', 'Z');
