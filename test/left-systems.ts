const left = new Set<() => Promise<void>>();

/** Takes what disposes of a system; gives what does so once. Where a test fails by its timeout, nobody does: it is then done after its file. */
export function disposedOnce(dispose: () => Promise<void>): () => Promise<void> {
  let disposing: Promise<void> | undefined;
  const once = () => {
    left.delete(once);
    disposing ??= dispose();
    return disposing;
  };
  left.add(once);
  return once;
}

/** Disposes of what is left. */
export async function endLeftSystems(): Promise<void> {
  await Promise.allSettled([...left].map((dispose) => dispose()));
}
