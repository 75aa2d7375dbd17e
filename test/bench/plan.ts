import { parseArgs } from 'node:util';

/** How long and how often everything is measured. */
export type Plan = {
  mode: 'quick' | 'full' | 'smoke';
  /** Most rounds of each side before anything is measured. */
  warmUps: number;
  /** Rounds of ours and theirs in turn, and how long each takes, seconds. */
  rounds: number;
  seconds: number;
  /** The same for rounds at a fixed rate. */
  pacedRounds: number;
  pacedSeconds: number;
  /** How many builds run when growth is measured. */
  sizes: number[];
  /** Only the cases of these names, all if empty. */
  only: string[];
  isCheck: boolean;
  /** Whether each case waits until the machine has little else to do. */
  isPatient: boolean;
};

const MODES = {
  quick: { warmUps: 8, rounds: 5, seconds: 2, pacedRounds: 5, pacedSeconds: 2, sizes: [1000, 10_000] },
  full: {
    warmUps: 6,
    rounds: 5,
    seconds: 5,
    pacedRounds: 5,
    pacedSeconds: 8,
    sizes: [1000, 100_000, 1_000_000],
  },
  smoke: { warmUps: 1, rounds: 1, seconds: 0.3, pacedRounds: 1, pacedSeconds: 0.5, sizes: [200, 400] },
};

/** How to run it. */
export const USAGE = `usage: npm run bench [-- OPTION …]    speed against floors and a peer, some minutes

--full        longer, with a million builds
--check       exit with 1 where an aim is missed, naming it
--only NAME   measure one case again, which replaces its part of the report; may be repeated
--patient     wait before each case until the machine has little else to do
--smoke       see that it runs; its figures stand for nothing`;

/** Reads `--full`, `--smoke` (to see that it runs), `--check`, `--patient` and `--only NAME`, which may be repeated; undefined where help is asked for. Throws a TypeError. */
export function readPlan(args: string[]): Plan | undefined {
  const { values } = parseArgs({
    args,
    options: {
      full: { type: 'boolean' },
      smoke: { type: 'boolean' },
      check: { type: 'boolean' },
      patient: { type: 'boolean' },
      only: { type: 'string', multiple: true },
      help: { type: 'boolean', short: 'h' },
    },
  });
  if (values.help) return undefined;
  const mode = values.smoke ? 'smoke' : values.full ? 'full' : 'quick';
  const { only = [], check = false, patient = false } = values;
  return { mode, ...MODES[mode], only, isCheck: check, isPatient: patient };
}
