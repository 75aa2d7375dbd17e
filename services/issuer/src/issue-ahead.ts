import type { Issued, Running } from './issue.ts';

/** A build that is being looked up, as what it was last found, if it was, and what issues to it and takes back. */
type Ahead = {
  finding: Promise<Running>;
  last: Running | undefined;
  issue(running: Running): Promise<Issued>;
  takeBack(running: Running, issued: Issued): void;
};

/** What was issued, and to which build. */
type IssuedTo = { running: Running; issued: Issued };

/**
 * Issues to a build that was found before while it is looked up again, so that two ways are gone at once. The token is given
 * only if the build was found to run and to be the same; else nobody gets it, and the build as it was found gets another. Throws
 * what finding it throws, then what issuing throws.
 */
export async function issueAhead({ finding, last, issue, takeBack }: Ahead): Promise<IssuedTo> {
  if (!last) return await issueOnce(await finding, issue);
  const ahead = issue(last);
  // Nobody may be left to hear how it failed.
  const settled = ahead.catch(() => undefined);
  const undo = async () => {
    const issued = await settled;
    if (issued) takeBack(last, issued);
  };
  const running = await finding.catch((error: unknown) => {
    void undo();
    throw error;
  });
  if (isSame(running, last)) return { running, issued: await ahead };
  // First, as it may have been the last that the build may have.
  await undo();
  return await issueOnce(running, issue);
}

const issueOnce = async (running: Running, issue: Ahead['issue']) => ({
  running,
  issued: await issue(running),
});

/** What is found twice with not a byte changed is one object. */
const isSame = (one: Running, other: Running) => one.build === other.build && one.stream === other.stream;
