import { basename, dirname, join } from 'node:path';
import { build } from 'rolldown';

/** A worker thread is named as a file beside its maker. */
const WORKER = /new URL\((['"])\.\/([\w-]+)\.ts\1, import\.meta\.url\)/g;

/**
 * Takes the main file of a program and a folder; puts `main.mjs` there, which needs no other file, but one of its own
 * for each worker thread that it makes.
 */
export async function bundle(main: string, folder: string): Promise<void> {
  const entries = new Set([main]);
  for (const entry of entries) {
    await build({
      input: entry,
      platform: 'node',
      logLevel: 'warn',
      plugins: [{ name: 'workers', transform: (code, id) => withWorkers(code, id, entries) }],
      output: { file: join(folder, `${basename(entry, '.ts')}.mjs`), format: 'esm', codeSplitting: false },
    });
  }
}

/** Names each worker as it will be called, and adds it to the entries. */
function withWorkers(code: string, id: string, entries: Set<string>): string | undefined {
  if (id.includes('node_modules') || !code.match(WORKER)) return undefined;
  return code.replaceAll(WORKER, (_match, quote: string, name: string) => {
    entries.add(join(dirname(id), `${name}.ts`));
    return `new URL(${quote}./${name}.mjs${quote}, import.meta.url)`;
  });
}
