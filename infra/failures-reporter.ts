import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Reporter, TestModule } from 'vitest/node';

type Failure = { message: string; stack?: string | undefined; [key: string]: unknown };

/**
 * A reporter of the test runner that writes what failed outside of a test, which its own report in JSON leaves out: what
 * nobody caught, and what prepares tests or cleans up after them. In the shape of that report, into the folder `MAYFLY_RESULTS`.
 */
export default class FailuresReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], uncaught: readonly Failure[]): void {
    const folder = process.env['MAYFLY_RESULTS'];
    const failures = [...modules.flatMap(aroundTests), ...uncaught.map(uncaughtFailure)];
    if (!folder || failures.length === 0) return;
    const testResults = failures.map(({ file, name, error }) => ({
      name: file,
      assertionResults: [{ status: 'failed', fullName: name, failureMessages: [wholeMessage(error)] }],
    }));
    writeFileSync(join(folder, `outside-of-tests-${process.pid}.json`), JSON.stringify({ testResults }));
  }
}

/** What an error says, and those that it holds: of several that failed together the outermost says that alone. */
function wholeMessage(error: Failure): string {
  const held = ['error', 'suppressed', 'cause'].flatMap((name) => error[name] ?? []);
  const inner = [...held, ...[error['errors'] ?? []].flat()].filter(isFailure).map(wholeMessage);
  return [error.stack ?? error.message, ...inner].join('\n');
}

const isFailure = (value: unknown): value is Failure =>
  typeof value === 'object' && value !== null && 'message' in value;

function aroundTests(module: TestModule) {
  const suites = [...module.children.allSuites()].map((suite) => ({
    name: `around the tests of ${suite.fullName}`,
    errors: suite.errors(),
  }));
  // A file that cannot be read has no tests either, and is told by the report in JSON.
  const itself = { name: 'around its tests', errors: module.children.size > 0 ? module.errors() : [] };
  return [itself, ...suites].flatMap(({ name, errors }) =>
    errors.map((error) => ({ file: module.moduleId, name, error })),
  );
}

function uncaughtFailure(error: Failure) {
  const test = error['VITEST_TEST_NAME'];
  const name = test === undefined ? 'caught by nobody' : `caught by nobody, in or after "${test}"`;
  return { file: String(error['VITEST_TEST_PATH'] ?? 'no file'), name, error };
}
