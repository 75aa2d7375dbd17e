/**
 * Takes a role of Vault's; gives the longest life (s) of a Vault token by it, 0 where nothing ends it but the limit of
 * the mount. Vault gives a limit that is not set as 0. A token with a period is renewed without end, whatever its
 * token_max_ttl, and only token_explicit_max_ttl ends it; a batch token is not renewed at all.
 */
export function longestLife(role: Readonly<Record<string, unknown>>): number {
  const at = (name: string) => seconds(role[`token_${name}`]) || seconds(role[name]);
  const ends = [
    at('explicit_max_ttl'),
    ...(at('period') > 0 ? [] : [at('max_ttl')]),
    ...(role['token_type'] === 'batch' ? [at('ttl')] : []),
  ].filter((end) => end > 0);
  return ends.length > 0 ? Math.min(...ends) : 0;
}

const UNITS: Readonly<Record<string, number>> = {
  ...{ ns: 1e-9, us: 1e-6, µs: 1e-6, ms: 1e-3, s: 1, m: 60, h: 3600, d: 86_400 },
};
const PART = /([0-9]+\.?[0-9]*|\.[0-9]+)(ns|us|µs|ms|s|m|h|d)/g;

/** Takes a duration as Vault takes it: seconds, or as Go writes it (`0h5m0s`), and in days; gives seconds, 0 for what is none. */
function seconds(value: unknown): number {
  const text = String(value ?? '').trim();
  if (/^[0-9]+$/.test(text)) return Number(text);
  const parts = [...text.matchAll(PART)];
  if (parts.map(([part]) => part).join('') !== text) return 0;
  return parts.reduce((sum, [, number, unit = 's']) => sum + Number(number) * (UNITS[unit] ?? 0), 0);
}
