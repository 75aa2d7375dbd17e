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
  const [found, ahead] = await Promise.allSettled([finding, last && issue(last)]);
  if (found.status === 'fulfilled' && last && isSame(found.value, last)) {
    if (ahead.status === 'rejected') throw ahead.reason;
    return { running: found.value, issued: ahead.value as Issued };
  }
  if (last && ahead.status === 'fulfilled') takeBack(last, ahead.value as Issued);
  if (found.status === 'rejected') throw found.reason;
  return { running: found.value, issued: await issue(found.value) };
}

/** What is found twice with not a byte changed is one object. */
const isSame = (one: Running, other: Running) => one.build === other.build && one.stream === other.stream;
