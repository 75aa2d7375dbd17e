import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Figure, Section } from './figure.ts';
import type { Plan } from './plan.ts';

/** Measures signing alone with `signing.ts`, which compares with `openssl speed -multi 2`. */
export async function signing({ pacedRounds: rounds, seconds }: Plan): Promise<Section> {
  const whole = Math.max(1, Math.round(seconds / 2));
  const lines = await linesOf('./signing.ts', [rounds, whole]);
  const least: Record<string, number> = { RS256: 0.95, ES256: 0.7 };
  const figures = lines.flatMap((line): Figure[] => {
    const compared = /^(\S+): (\d+)\/s, openssl -multi 2 (\d+)\/s, ratio ([\d.]+)/.exec(line);
    if (compared) {
      const aim = { atLeast: least[compared[1] as string] as number };
      return [
        figureOf(
          `${compared[1]}: signatures a second`,
          'signatures/s',
          compared,
          'openssl speed -multi 2',
          aim,
        ),
      ];
    }
    const overBus = /^(\S+) over the bus, in requests of 32: (\d+) tokens\/s/.exec(line);
    if (!overBus) return [];
    return [{ what: `${overBus[1]}: over the bus`, unit: 'tokens/s', value: exactly(overBus[2]) }];
  });
  const singles = lines.filter((line) => line.includes('one at a time')).map((line) => `${line}.`);
  return {
    name: 'signing',
    title: 'Signing alone',
    text: [`Medians of ${rounds} alternating rounds.`, ...singles],
    figures,
    plots: [],
  };
}

/** Measures the library with `verifier.ts`, which compares with a bare `jwtVerify`. */
export async function verification({ rounds, seconds }: Plan): Promise<Section> {
  const lines = await linesOf('./verifier.ts', [rounds, seconds * 500]);
  const figures = lines.flatMap((line): Figure[] => {
    const found = /^(\S+ by \S+): (\d+)\/s, bare jwtVerify (\d+)\/s, ratio ([\d.]+)/.exec(line);
    if (!found) return [];
    return [figureOf(`${found[1]}`, 'verifications/s', found, 'bare jwtVerify', { atLeast: 0.95 })];
  });
  const text = [
    'Revocation included, with ten thousand builds that ended in the feed. Medians of alternating rounds of half a second or more.',
  ];
  return { name: 'verification', title: 'Verification in the library', text, figures, plots: [] };
}

function figureOf(
  what: string,
  unit: string,
  [, , ours, theirs, ratio]: RegExpExecArray,
  name: string,
  aim: { atLeast: number },
): Figure {
  return {
    what,
    unit,
    value: exactly(ours),
    beside: { name, value: exactly(theirs), ratio: exactly(ratio) },
    aim,
  };
}

function exactly(text: string | undefined) {
  const value = Number(text);
  return { median: value, low: value, high: value };
}

async function linesOf(file: string, args: number[]): Promise<string[]> {
  const path = fileURLToPath(new URL(file, import.meta.url));
  const child = spawn(process.execPath, [path, ...args.map(String)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = new Promise<number | null>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', resolve);
  });
  const chunks: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk));
  if ((await ended) !== 0) throw new Error(`${file} failed`);
  return Buffer.concat(chunks).toString().split('\n');
}
