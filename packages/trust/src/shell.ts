/** Takes text; gives it as one word of a POSIX shell. */
export function shellWord(text: string): string {
  return /^[A-Za-z0-9_@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}

/** Takes a command and its arguments, each a line; gives one command over several lines. */
export function shellCommand(lines: readonly string[]): string {
  return lines.join(' \\\n  ');
}
