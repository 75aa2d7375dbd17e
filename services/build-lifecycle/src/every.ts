/** Does `act` every `ms` milliseconds, not before the last time is over, until the process stops; which waits for it. */
export function every(
  ms: number,
  act: () => Promise<void>,
  resources: AsyncDisposableStack,
  failed: (error: unknown) => void,
): void {
  let acting = Promise.resolve();
  let isBusy = false;
  const timer = setInterval(() => {
    if (isBusy) return;
    isBusy = true;
    acting = act()
      .catch(failed)
      .finally(() => {
        isBusy = false;
      });
  }, ms);
  resources.defer(async () => {
    clearInterval(timer);
    await acting;
  });
}
