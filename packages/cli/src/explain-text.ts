import type { Explanation } from '@mayfly/trust/explain';
import type { ExplainedClaim } from '@mayfly/trust/explain-claims';
import { printable } from './trust-inputs.ts';

/** Takes an explanation; gives it for people. */
export function explanationText(explanation: Explanation): string {
  const { source, profile, build, token, more_tokens } = explanation;
  const fork = build.fork ? ', of a fork' : '';
  return [
    `Build ${printable(build.id)} of ${source}, attempt ${build.attempt}${fork}, as profile ${profile} shows it; it ends within ${build.deadline_seconds} s`,
    ...section('Audiences', audienceLines(explanation)),
    ...section('Policy', policyLines(explanation)),
    ...(token ? tokenLines(token) : []),
    ...more_tokens.flatMap(otherLines),
    '',
  ].join('\n');
}

/** Takes a heading and lines; gives the section, with a line before it. */
export function section(heading: string, lines: readonly string[]): string[] {
  return lines.length === 0 ? [] : ['', heading, ...lines];
}

/** Takes rows of cells; gives lines whose columns stand under each other, the last as long as it is. */
export function columns(rows: readonly (readonly string[])[]): string[] {
  const count = Math.max(0, ...rows.map((row) => row.length));
  const widths = Array.from({ length: count }, (_, index) =>
    Math.min(60, Math.max(...rows.map((row) => (row[index] ?? '').length))),
  );
  return rows.map((row) =>
    `  ${row.map((cell, index) => (index === row.length - 1 ? cell : cell.padEnd(widths[index] ?? 0))).join('  ')}`.trimEnd(),
  );
}

function audienceLines({ audiences, file }: Explanation): string[] {
  return audiences.flatMap(({ audience, declared, allowed, line, entry, refusal }) => {
    const name = printable([audience ?? 'the usual audience of the profile'].flat().join(', '));
    const why = declared === undefined ? '' : ` (declared as ${declared})`;
    const place = line === undefined ? 'by default' : `${file}:${line}`;
    if (allowed)
      return [
        `  allowed  ${name}${why}  ${place}${entry === undefined || entry === audience ? '' : `: ${entry}`}`,
      ];
    return [
      `  REFUSED  ${name}${why}  ${place}`,
      `           ${refusal?.error}: ${printable(refusal?.error_description ?? '')}`,
      `           next: ${refusal?.next}`,
    ];
  });
}

function policyLines({ policy, file }: Explanation): string[] {
  return columns(
    policy.map(({ rule, says, line, verdict }) => [
      verdict === 'refuses' ? 'REFUSES' : verdict,
      rule,
      line === undefined ? 'by default' : `${file}:${line}`,
      printable(says),
    ]),
  );
}

function tokenLines({ alg, claims, left_out, subject }: NonNullable<Explanation['token']>): string[] {
  return [
    ...section(`Claims, signed with ${alg}`, claimLines(claims)),
    ...section(
      'Left out, because the build does not say',
      columns(left_out.map(({ claim, fields }) => [claim, `data.build.${fields.join(' or data.build.')}`])),
    ),
    ...section(
      `Subject ${subject.alternate}, form ${subject.form + 1}: ${printable(subject.value)}`,
      columns(
        subject.parts.map(({ text, path, trust }) => [printable(text) || "''", path ?? 'text', note(trust)]),
      ),
    ),
  ];
}

function otherLines({ audience, alg, claims }: Explanation['more_tokens'][number]): string[] {
  const name = printable([audience ?? 'the usual audience of the profile'].flat().join(', '));
  return section(`For ${name}, signed with ${alg}: the same, but for`, claimLines(claims));
}

function claimLines(claims: readonly ExplainedClaim[]): string[] {
  return columns(
    claims.map(({ claim, value, from, trust }) => [
      claim,
      printable(typeof value === 'string' ? value : JSON.stringify(value)) || "''",
      [from, note(trust)].join(' ').trim(),
    ]),
  );
}

function note(trust: string | undefined): string {
  return trust === 'user-controlled' ? '(a user decides it)' : '';
}
