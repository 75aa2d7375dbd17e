// Files that run at the same time choose their ports from parts of their own.
const worker = Number(process.env['VITEST_POOL_ID'] ?? 1) % 4;
process.env['MAYFLY_PORTS'] ??= `${12_000 + worker * 4000}-${15_999 + worker * 4000}`;
