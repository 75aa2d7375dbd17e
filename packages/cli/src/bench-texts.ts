/** What a step may write, a line each; for measuring. */
export const TEXTS = {
  'build log': (line: number) =>
    `2026-11-20T06:37:57.${line}Z [info] compiled packages/cli/src/mask-scan.ts in ${line % 97} ms (dist/cli/mask-scan.js)\n`,
  'npm and compiler output': () =>
    'npm warn deprecated inflight@1.0.6: This module is not supported, and leaks memory.\ncc1 -quiet -O2 -fno-plt main.c -o ccJx2k.s\n',
  'JSON with escapes': () => '{"level":30,"msg":"say \\"hello\\" to the\\nworld","url":"/a%20b?c=%2Fd"}\n',
  'base64 at 76 columns': () =>
    `${Buffer.from(Array.from({ length: 57 }, () => Math.random() * 256)).toString('base64')}\n`,
};

export type BenchText = keyof typeof TEXTS;

/** Some megabytes of it. */
export function benchText(name: BenchText): Buffer {
  return Buffer.from(Array.from({ length: 20_000 }, (_, line) => TEXTS[name](line)).join(''));
}
