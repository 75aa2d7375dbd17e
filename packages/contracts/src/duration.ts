const UNITS = { s: 1, m: 60, h: 3600, d: 86400 } as const;

/** Text such as `90s`, `5m`, `26h` or `30d`. */
export const DURATION_PATTERN = '^[1-9][0-9]{0,5}[smhd]$';

/** Takes a duration such as `5m`; gives seconds. Throws a TypeError for anything else. */
export function durationSeconds(text: string): number {
  const match = /^([1-9][0-9]{0,5})([smhd])$/.exec(text);
  if (!match) throw new TypeError('a duration is a whole number followed by s, m, h or d');
  return Number(match[1]) * UNITS[match[2] as keyof typeof UNITS];
}
