/** What was used of late, by name. */
export type Recent<T> = {
  get(name: string): T | undefined;
  set(name: string, value: T): void;
  delete(name: string): void;
};

/** Gives a memory of about as many names as `size`, at least half of them: what is not set again is forgotten in the end. */
export function recent<T>(size: number): Recent<T> {
  let latest = new Map<string, T>();
  let earlier = new Map<string, T>();
  return {
    get: (name) => latest.get(name) ?? earlier.get(name),
    set(name, value) {
      if (latest.size >= size / 2) {
        earlier = latest;
        latest = new Map();
      }
      latest.set(name, value);
    },
    delete(name) {
      latest.delete(name);
      earlier.delete(name);
    },
  };
}
