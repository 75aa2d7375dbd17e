import type { NameRecord } from '@mayfly/contracts/seen-names-schema';
import type { NameKey, NameStore, StoredName } from './name-store.ts';

/** A store of names in memory, as the bucket is: one newest record a name, a revision for each change. */
export function namesInMemory(): NameStore & { reads(): number } {
  const records = new Map<string, StoredName>();
  const wordOf = ({ source, kind, name }: NameKey) => JSON.stringify([source, kind, name]);
  let revision = 0;
  let reads = 0;
  return {
    reads: () => reads,
    async read(key) {
      reads += 1;
      return records.get(wordOf(key));
    },
    async replace(record: NameRecord, expected) {
      if ((records.get(wordOf(record))?.revision ?? 0) !== expected) return false;
      revision += 1;
      records.set(wordOf(record), { record, revision });
      return true;
    },
    async after(last, { source, kind }) {
      return [...records.values()]
        .filter(({ record }) => source === undefined || record.source === source)
        .filter(({ record }) => kind === undefined || record.kind === kind)
        .sort((a, b) => a.revision - b.revision)
        .find((one) => one.revision > last);
    },
  };
}
