import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Aim, type Figure, meets, type Section, type Spread } from './figure.ts';
import type { Machine } from './machine.ts';
import type { Plan } from './plan.ts';
import { draw } from './plot.ts';

/** Writes the report, with its plots beside it, into `folder`. */
export function writeReport(folder: string, plan: Plan, machine: Machine, sections: Section[]): void {
  mkdirSync(folder, { recursive: true });
  for (const name of readdirSync(folder)) if (/\.svg$/.test(name)) rmSync(join(folder, name));
  const parts = sections.map((section) => {
    const images = section.plots.map((plot, index) => {
      const file = `${section.name}-${index + 1}.svg`;
      writeFileSync(join(folder, file), draw(plot));
      return `![${plot.title}](${file})`;
    });
    return [
      `## ${section.title}`,
      section.text.join('\n'),
      measuredAt(section),
      table(section.figures),
      ...images,
    ]
      .filter((part) => part !== '')
      .join('\n\n');
  });
  writeFileSync(
    join(folder, 'README.md'),
    `${[head(plan, machine), shortfalls(sections), ...parts].join('\n\n')}\n`,
  );
}

/** Says which aims are missed, a line each. */
export function missed(sections: Section[]): string[] {
  return sections.flatMap(({ title, figures }) =>
    figures.filter((figure) => meets(figure) === false).map((figure) => `${title}: ${describe(figure)}`),
  );
}

function describe(figure: Figure): string {
  const { what, unit, value, beside, aim } = figure;
  const shown = beside
    ? `${number(beside.ratio.median)} × ${beside.name}`
    : `${number(value.median)} ${unit}`;
  return `${what}: ${shown}, aim ${aimText(aim)}`;
}

function head(plan: Plan, { what, commit }: Machine): string {
  const command = `npm run bench${plan.mode === 'quick' ? '' : ` -- --${plan.mode}`}`;
  return `# What Mayfly's speed was

Written by \`${command}\` at commit ${commit}, on ${what}.

Real servers and processes, load from processes of their own on the same cores. Capacity: closed loop, ${plan.rounds} rounds of ${plan.seconds} s, ours and the other side in turn, in alternating order, after warming up. Fixed rates: open loop, ${plan.pacedRounds} rounds of ${plan.pacedSeconds} s. Figures are medians over the rounds, with the lowest and highest in brackets; a ratio is the median of the ratios of each round. Rates drift from machine to machine; ratios of the same round compare.`;
}

/** Above this share of the cores, what others do is in the figures. */
const BUSY = 0.1;

function measuredAt({ measured }: Section): string {
  if (!measured) return '';
  const { when, others } = measured;
  const share = `${Math.round(others * 100)} %`;
  const warning = others > BUSY ? ': **too much for these figures to be believed**' : '';
  return `<small>Measured at ${when}; others took ${share} of the cores meanwhile${warning}.</small>`;
}

function shortfalls(sections: Section[]): string {
  const figures = sections.flatMap((section) => section.figures).filter(({ aim }) => aim);
  const names = missed(sections);
  const list = names.map((name) => `- ${name}`).join('\n');
  const isBusy = sections.some(({ measured }) => (measured?.others ?? 1) > BUSY);
  const warning = isBusy
    ? '**Other work took much of the cores meanwhile: these figures stand for nothing until a run on a quiet machine replaces them.**\n\n'
    : '';
  return `${warning}**${figures.length - names.length} of ${figures.length} aims are met.**${names.length > 0 ? ` Missed:\n\n${list}` : ''}`;
}

function table(figures: Figure[]): string {
  if (figures.length === 0) return '';
  const rows = figures.map((figure) => `| ${[...measured(figure), ...judged(figure)].join(' | ')} |`);
  return ['| what | measured | beside | ratio | aim | |', '|---|---|---|---|---|---|', ...rows].join('\n');
}

function measured({ what, unit, value, beside, note }: Figure): string[] {
  return [
    `${what}${note ? `<br><small>${note}</small>` : ''}`,
    `${shown(value)} ${unit}`,
    beside ? `${beside.name}: ${shown(beside.value)} ${unit}` : '',
    beside ? `${shown(beside.ratio)} ×` : '',
  ];
}

function judged(figure: Figure): string[] {
  const { beside, aim } = figure;
  if (!aim) return ['', ''];
  return [`${aimText(aim)}${beside ? ' ×' : ''}`, meets(figure) ? 'met' : '**missed**'];
}

function aimText(aim: Aim | undefined): string {
  if (!aim) return '';
  return 'atLeast' in aim ? `at least ${aim.atLeast}` : `at most ${aim.atMost}`;
}

function shown({ median, low, high }: Spread): string {
  return low === high ? number(median) : `${number(median)} (${number(low)}–${number(high)})`;
}

function number(value: number): string {
  const digits = Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 10 ? 1 : 2;
  return Number(value.toFixed(digits)).toLocaleString('en');
}
