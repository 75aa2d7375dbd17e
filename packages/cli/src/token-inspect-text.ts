import type { InspectedToken } from '@mayfly/trust/inspect-token';
import { columns, section } from './explain-text.ts';
import type { IssuerAnswer } from './token-inspect-ask.ts';
import { printable } from './trust-inputs.ts';

/** What is shown: a token, and what its issuer says of it if it was asked. */
export type ShownToken = InspectedToken & { issuer?: IssuerAnswer & { why?: string[] } };

/** Takes a token that was inspected and the time (s); gives it for people. Its signature is never shown. */
export function inspectedText(
  { header, claims, bytes, build, odd, limits, issuer }: ShownToken,
  now: number,
): string {
  const beyond = limits.filter(({ within }) => !within);
  return [
    build
      ? `Token of build ${printable(build.id)} of ${build.source}, attempt ${build.attempt}; ${bytes} bytes`
      : `Token of no build that it names; ${bytes} bytes`,
    ...section(
      'Header',
      columns(Object.entries(header).map(([name, value]) => [printable(name), asText(value)])),
    ),
    ...section(
      'Claims',
      columns(
        Object.entries(claims).map(([name, value]) => [
          printable(name),
          asText(value),
          when(name, value, now),
        ]),
      ),
    ),
    ...section(
      'Odd',
      odd.flatMap(({ what, next }) => [`  ${printable(what)}`, `      next: ${printable(next)}`]),
    ),
    ...section(
      'Too much for',
      beyond.map(({ party, limit, value }) => `  ${party}: ${limit}; it is ${printable(value)}`),
    ),
    ...issuerLines(issuer),
    '',
  ].join('\n');
}

function issuerLines(issuer: ShownToken['issuer']): string[] {
  if (!issuer) return ['', 'Signature', '  not verified: give --issuer URL'];
  const { signature, active, why = [], introspection } = issuer;
  const build = introspection?.['build'];
  return [
    ...section('Signature', [`  ${signature}`]),
    ...(active === undefined
      ? []
      : section('Introspection', [
          `  ${active ? 'active' : 'NOT ACTIVE'}`,
          ...why.map((one) => `  ${printable(one)}`),
        ])),
    ...(build === undefined ? [] : [`  build ${asText(build)}`]),
  ];
}

function asText(value: unknown): string {
  return printable(typeof value === 'string' ? value : JSON.stringify(value)) || "''";
}

function when(name: string, value: unknown, now: number): string {
  if (!['exp', 'iat', 'nbf'].includes(name) || typeof value !== 'number') return '';
  const date = new Date(value * 1000);
  if (Number.isNaN(date.getTime())) return '';
  return `${date.toISOString()}, ${value >= now ? `in ${value - now} s` : `${now - value} s ago`}`;
}
