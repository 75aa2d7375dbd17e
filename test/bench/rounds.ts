/** So often, for what is hot is compiled only after some seconds, on both sides. */
const WARM_UPS = 4;

/** Has both sides work in turn, until they are as quick as they get. */
export async function warmUp(ours: () => Promise<unknown>, theirs: () => Promise<unknown>): Promise<void> {
  for (let times = 0; times < WARM_UPS; times++) {
    await ours();
    await theirs();
  }
}

/** Measures two sides in turn, in alternating order, round by round. */
export async function alternate<A, B>(
  rounds: number,
  ours: (round: number) => Promise<A>,
  theirs: (round: number) => Promise<B>,
): Promise<{ ours: A; theirs: B }[]> {
  const results: { ours: A; theirs: B }[] = [];
  for (let round = 0; round < rounds; round++) {
    if (round % 2 === 0) {
      const mine = await ours(round);
      results.push({ ours: mine, theirs: await theirs(round) });
    } else {
      const other = await theirs(round);
      results.push({ ours: await ours(round), theirs: other });
    }
    process.stderr.write('.');
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  }
  return results;
}

/** Lets what a round has left behind (garbage, logs, syncs) not count in the next. */
const PAUSE_MS = 100;
