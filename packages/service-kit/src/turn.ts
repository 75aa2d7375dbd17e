type Act = () => void;

let waiting: Act[] = [];

/**
 * Does `act` at the end of this turn of the event loop, after what was given before it: what many handlers have to say
 * then goes to the socket in one write. Resolves with what it gives; rejects with what it throws.
 */
export function inTurn<T>(act: () => T): Promise<Awaited<T>> {
  if (waiting.length === 0) setImmediate(doAll);
  return new Promise<Awaited<T>>((resolve, reject) => {
    waiting.push(() => {
      try {
        resolve(act() as Awaited<T>);
      } catch (error) {
        reject(error);
      }
    });
  });
}

function doAll(): void {
  const acts = waiting;
  waiting = [];
  for (const act of acts) act();
}
