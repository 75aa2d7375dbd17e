/** For how long heartbeats could have been heard and kept without a break. */
export type Listening = { listenedMs(): number };

/**
 * Takes a check of whether heartbeats can be heard and kept now, which is asked every 100 ms, and a monotonic clock
 * (ms); gives for how long they could without a break.
 */
export function listening(
  canHear: () => boolean,
  clock: () => number,
  resources: AsyncDisposableStack,
): Listening {
  let since: number | undefined;
  let asked = clock();
  const look = () => {
    const now = clock();
    // A process that was paused heard nothing meanwhile.
    const wasPaused = now - asked > PAUSED_MS;
    asked = now;
    if (!canHear() || wasPaused) since = undefined;
    else since ??= now;
  };
  const timer = setInterval(look, EVERY_MS);
  resources.defer(() => clearInterval(timer));
  return {
    listenedMs() {
      look();
      return since === undefined ? 0 : clock() - since;
    },
  };
}

const EVERY_MS = 100;
const PAUSED_MS = 1500;
