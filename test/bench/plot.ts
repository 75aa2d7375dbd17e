import { type Plot, percentile } from './figure.ts';

const WIDTH = 720;
const LEFT = 210;
const RIGHT = 90;
const OURS = '#1f6f5c';
const THEIRS = '#b8b2a7';
const INK = '#333';
const PARTS = [0, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.995, 0.999];

/** Draws a plot as SVG text. */
export function draw(plot: Plot): string {
  if (plot.kind === 'drawn') return plot.svg;
  return plot.kind === 'bars' ? drawBars(plot) : drawLatency(plot);
}

function drawBars({ title, unit, bars }: Extract<Plot, { kind: 'bars' }>): string {
  const most = Math.max(...bars.map(({ value }) => value.high), 1);
  const scale = (value: number) => ((WIDTH - LEFT - RIGHT) * value) / most;
  const rows = bars.map(({ name, value, isOurs }, index) => {
    const y = 44 + index * 28;
    const middle = y + 10;
    const end = LEFT + scale(value.median);
    return [
      text(LEFT - 8, middle + 4, name, 'end'),
      `<rect x="${LEFT}" y="${y}" width="${round(scale(value.median))}" height="20" fill="${isOurs ? OURS : THEIRS}"/>`,
      line(LEFT + scale(value.low), middle, LEFT + scale(value.high), middle, INK, 1.5),
      text(
        Math.max(end, LEFT + scale(value.high)) + 6,
        middle + 4,
        Math.round(value.median).toLocaleString('en'),
        'start',
      ),
    ].join('');
  });
  return svg(52 + bars.length * 28, `${title} (${unit}; line: lowest to highest round)`, rows.join('\n'));
}

function drawLatency({ title, lines }: Extract<Plot, { kind: 'latency' }>): string {
  const height = 300;
  const [top, bottom, left] = [44, height - 40, 60];
  const points = lines.map(({ latencies }) =>
    PARTS.map((part) => Math.max(percentile(latencies, part), 0.05)),
  );
  const all = points.flat().filter(Number.isFinite);
  const [low, high] = [Math.log10(Math.min(...all, 1)), Math.log10(Math.max(...all, 10))];
  const y = (ms: number) => bottom - ((Math.log10(ms) - low) / (high - low)) * (bottom - top);
  const x = (index: number) => left + (index * (WIDTH - left - 170)) / (PARTS.length - 1);
  const ticks = [0.1, 0.3, 1, 3, 10, 30, 100, 300, 1000, 3000].filter(
    (ms) => Math.log10(ms) >= low && Math.log10(ms) <= high,
  );
  const grid = ticks.map(
    (ms) =>
      line(left, y(ms), x(PARTS.length - 1), y(ms), '#e4e0d8', 1) +
      text(left - 6, y(ms) + 4, String(ms), 'end'),
  );
  const parts = PARTS.map((part, index) =>
    text(x(index), bottom + 18, part === 0 ? 'least' : `p${round(part * 100)}`, 'middle'),
  );
  const curves = lines.map(({ name, isOurs }, index) => {
    const own = points[index] as number[];
    const path = own.map((ms, at) => `${round(x(at))},${round(y(ms))}`).join(' ');
    const color = isOurs ? OURS : '#8a8478';
    const last = y(own.at(-1) as number) + (isOurs ? -4 : 10);
    return `<polyline points="${path}" fill="none" stroke="${color}" stroke-width="2"/>${text(x(PARTS.length - 1) + 8, last, name, 'start')}`;
  });
  return svg(height, `${title} (ms, logarithmic)`, [...grid, ...parts, ...curves].join('\n'));
}

function svg(height: number, title: string, body: string): string {
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" font-family="sans-serif" font-size="12" fill="${INK}">
<title>${escaped(title)}</title>
<rect width="100%" height="100%" fill="#fff"/>
<text x="12" y="24" font-size="14">${escaped(title)}</text>
${body}
</svg>
`;
}

function text(x: number, y: number, words: string, anchor: 'start' | 'middle' | 'end'): string {
  return `<text x="${round(x)}" y="${round(y)}" text-anchor="${anchor}">${escaped(words)}</text>`;
}

function line(x1: number, y1: number, x2: number, y2: number, color: string, width: number): string {
  return `<line x1="${round(x1)}" y1="${round(y1)}" x2="${round(x2)}" y2="${round(y2)}" stroke="${color}" stroke-width="${width}"/>`;
}

const round = (value: number) => Math.round(value * 10) / 10;
const escaped = (words: string) => words.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
