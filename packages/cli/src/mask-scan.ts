import { BASE64_VALUES } from './base64.ts';
import { eachBeginning } from './mask-beginnings.ts';
import { follow } from './mask-compare.ts';
import type { Probe } from './mask-forms.ts';
import { type MaskIndex, tailKey } from './mask-index.ts';
import { ESCAPINGS, unescapedView } from './mask-unescape.ts';
import { joinedView, type View, viewRoom } from './mask-views.ts';

/** A stretch of what was written that gives a secret away. */
export type Span = { start: number; end: number };

/** What a scan found: what to mask, and from where on the text may yet turn out to be a secret. */
export type Scan = {
  masked: Span[];
  /** Up to here everything is settled. */
  settled: number;
  /** Up to here so little of a secret may stand open that a short wait is enough. */
  showable: number;
  /** What comes next may go on with what stands from here on, though it is shown already. */
  context: number;
};

/** A beginning of fewer characters than this, and at most a quarter of the secret, is shown after a short wait. */
const SHOWN_CHARACTERS = 8;
const SHOWN_PART = 4;
/** At least this much of a secret, and half of it, is masked even if the rest never comes. */
const HALF_CHARACTERS = 16;
/** An escape or a group of base64 may have begun in text that is shown already: well above the longest of them. */
const KEPT_CHARACTERS = 160;

const JOINED = viewRoom();
const UNESCAPED = viewRoom();

/** Takes what was written and not yet forgotten; finds every secret in it. `open`: more may follow. */
export function scan(written: Buffer, index: MaskIndex, open: boolean): Scan {
  const end = written.length;
  const found: Scan = { masked: [], settled: end, showable: end, context: end };
  const joined = joinedView(written, JOINED);
  if (index.probes.size === 0) return found;
  scanView(joined, index, open, found);
  for (const escaping of ESCAPINGS) {
    const view = unescapedView(joined, escaping, UNESCAPED);
    if (view) scanView(view, index, open, found);
  }
  if (joined.length > 0) found.context = joined.start(Math.max(0, joined.length - KEPT_CHARACTERS));
  return found;
}

function scanView(view: View, index: MaskIndex, open: boolean, found: Scan): void {
  eachBeginning(view, index, (start, probes) => {
    for (const probe of probes) tryProbe(view, start, probe, open, found);
  });
  if (open) scanTail(view, index, found);
}

function tryProbe(view: View, start: number, probe: Probe, open: boolean, found: Scan): void {
  const { matched, end, atEnd } = follow(view.text, view.length, start, probe);
  const wanted = probe.form.text.length;
  if (atEnd && open) {
    hold(view, start, end - start < SHOWN_CHARACTERS && matched * SHOWN_PART <= wanted, found);
  } else if (matched === wanted || (matched >= HALF_CHARACTERS && matched * 2 >= wanted)) {
    found.masked.push(spanOf(view, start, end, probe));
  }
}

/** One to three characters at the end may be the beginning of something. */
function scanTail(view: View, { tails }: MaskIndex, found: Scan): void {
  for (let size = Math.min(3, view.length); size > 0; size -= 1) {
    const start = view.length - size;
    const shortest = tails.get(tailKey(view.text, start, view.length));
    if (shortest !== undefined) hold(view, start, size * SHOWN_PART <= shortest, found);
  }
}

function hold(view: View, start: number, shownSoon: boolean, found: Scan): void {
  const at = view.start(start);
  found.settled = Math.min(found.settled, at);
  if (!shownSoon) found.showable = Math.min(found.showable, at);
}

/** Around base64 the characters that hold some bits of the secret and some of its neighbours are masked too. */
function spanOf(view: View, start: number, end: number, { form, wrapping, phase }: Probe): Span {
  const inner = form.alphabet === 'base64' ? 2 : 0;
  let first = start;
  let last = end;
  for (let left = inner + (wrapping === 'base64' && phase > 0 ? 1 : 0); left > 0; left -= 1) {
    if (first > 0 && isBase64(view, first - 1)) first -= 1;
  }
  for (let left = inner; left > 0; left -= 1) {
    if (last < view.length && isBase64(view, last)) last += 1;
  }
  return { start: view.start(first), end: view.end(last - 1) };
}

function isBase64({ text }: View, at: number): boolean {
  return (BASE64_VALUES[text[at] as number] as number) >= 0;
}
