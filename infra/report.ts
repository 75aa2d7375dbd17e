import { readdirSync, readFileSync } from 'node:fs';
import { basename, join, relative } from 'node:path';
import { stripVTControlCharacters } from 'node:util';

/** How many tests did what. */
export type Counts = { passed: number; failed: number; skipped: number };

type Result = {
  status: string;
  fullName: string;
  failureMessages?: string[];
  meta?: { skipped?: string };
};
type Report = { testResults: { name: string; message?: string; assertionResults: Result[] }[] };

/**
 * Counts what the runner itself reported, over all of the reports in a folder, and says each skip with its reason and
 * each failure. A skip that gives no reason is a failure: nobody knows whether it may be.
 */
export function countResults(folder: string, root: string, say: (line: string) => void): Counts {
  const counts = { passed: 0, failed: 0, skipped: 0 };
  const reports = readdirSync(folder).map((name) => join(folder, name));
  for (const { file, status, fullName, failureMessages = [], meta } of reports.flatMap(testsOf)) {
    if (status === 'passed') counts.passed += 1;
    else if (status !== 'failed' && meta?.skipped) {
      counts.skipped += 1;
      say(`skipped: ${fullName} (${meta.skipped})`);
    } else {
      counts.failed += 1;
      const message = status === 'failed' ? failureMessages[0] : 'skipped without a reason';
      say(failure(root, file, fullName, message));
    }
  }
  return counts;
}

/** Every test of a report; a file without any counts as one that failed. */
function testsOf(report: string): (Result & { file: string })[] {
  const { testResults } = JSON.parse(readFileSync(report, 'utf8')) as Report;
  return testResults.flatMap(({ name: file, message = '', assertionResults }) => {
    const itself: Result = { status: 'failed', fullName: 'the file itself', failureMessages: [message] };
    return (assertionResults.length > 0 ? assertionResults : [itself]).map((result) => ({ ...result, file }));
  });
}

/** One line that says all again, for those who see the end of a long output only. */
function failure(root: string, file: string, test: string, message = ''): string {
  const lines = stripVTControlCharacters(message).split('\n');
  // Errors within errors stand below the stack of the outermost.
  const said = lines.filter((line) => !/^\s+at /.test(line));
  const where = lines.find((line) => line.includes(basename(file)) && line.includes(':'))?.trim() ?? '';
  return `failed: ${relative(root, file)}: ${test}: ${said.slice(0, 6).join(' ').slice(0, 800)} ${where.replace(root, '')}`;
}
