import type { MadeTrust } from '@mayfly/trust/make-trust';
import { otherSubject } from '@mayfly/trust/subject-fit';
import { section } from './explain-text.ts';
import { printable } from './trust-inputs.ts';

/** Takes what was made; gives it for people: the texts to paste, then what they admit, and what would widen them. */
export function trustText({ kind, trust, checked, widen }: MadeTrust): string {
  const named = (verdict: string) => checked.filter((one) => one.verdict === verdict).map(({ name }) => name);
  const also = named('admitted');
  return [
    ...trust.texts.flatMap(({ title, text }) => [`# ${title}`, text, '']),
    `Admits tokens of ${kind.issuer} for ${kind.audience} with the subject ${printable(kind.subject)}`,
    ...kind.pins.map(
      ({ claim, value }) => `  and, as far as the relying party sees it, ${claim} ${printable(value)}`,
    ),
    ...section('Tried, and refused', listed(named('refused'))),
    ...section(
      'Tried, and ADMITTED TOO: nothing that the relying party sees tells them apart',
      also.length === 0 ? [] : [...listed(also), `      next: ${otherSubject(kind)}`],
    ),
    ...section(
      'Of the same kind, and admitted: the next build, and the same code in another job, by another event or elsewhere',
      listed(named('same kind')),
    ),
    ...section('Gets no token', listed(named('gets no token'))),
    ...section(
      'What would widen it',
      widen.flatMap(({ change, admits }) => [`  ${printable(change)}`, `      admits ${admits}`]),
    ),
    ...section('Limits', listed(trust.notes)),
    '',
  ].join('\n');
}

/** Takes what was made; gives it as JSON. */
export function trustJson({ kind, trust, checked, widen }: MadeTrust): string {
  const { issuer, audience, subject, pins } = kind;
  const { texts, notes } = trust;
  const shown = {
    ...{ issuer, audience, subject },
    claims: pins.map(({ claim, value }) => ({ claim, value })),
    texts,
    tried: checked,
    widen,
    limits: notes,
  };
  return `${JSON.stringify(shown, undefined, 2)}\n`;
}

function listed(lines: readonly string[]): string[] {
  return lines.map((line) => `  ${line}`);
}
