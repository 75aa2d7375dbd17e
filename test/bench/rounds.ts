type Work = () => Promise<{ perSecond: number }>;

/** A side counts as quicker than before from so much on; and both are as quick as they get after so many rounds without. */
const QUICKER = 1.03;
const STEADY_ROUNDS = 3;

/**
 * Has both sides work in turn until they are as quick as they get, at most so many times: what is hot is compiled only after
 * some seconds, and there is more of it the more a side does.
 */
export async function warmUp(most: number, ours: Work, theirs: Work): Promise<void> {
  const sides = [ours, theirs].map((work) => ({ work, best: 0 }));
  for (let rounds = 0, steady = 0; rounds < most && steady < STEADY_ROUNDS; rounds++) {
    steady++;
    for (const side of sides) {
      const { perSecond } = await side.work();
      if (perSecond > side.best * QUICKER) steady = 0;
      side.best = Math.max(side.best, perSecond);
    }
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
