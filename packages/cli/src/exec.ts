import { constants } from 'node:os';
import { prepareDeclaredStep } from './agent-config-step.ts';
import type { Command, Surroundings } from './command.ts';
import { EXEC_HELP } from './exec-help.ts';
import { type ExecOptions, parseExecOptions } from './exec-options.ts';
import { onTerminal } from './exec-terminal.ts';
import { CommandError, EXIT_CODES } from './exit-codes.ts';
import { readGrant } from './grant.ts';
import type { LeakForm } from './leak-forms.ts';
import { leakWatch } from './leak-watch.ts';
import { maskStream } from './mask-stream.ts';
import type { Prepared } from './prepare-step.ts';
import { runStep } from './run-step.ts';
import { secretBook } from './secret-book.ts';

/** `mayfly exec`: runs a command with its build's tokens. */
export const exec: Command = {
  summary: 'run a command with the tokens of its build',
  help: EXEC_HELP,
  async run(args, surroundings) {
    const options = parseExecOptions(args);
    if (options.help) {
      surroundings.stdout.write(EXEC_HELP);
      return 0;
    }
    const ending = new AbortController();
    const signals = takeSignals(surroundings, ending.signal);
    try {
      return await runWithTokens(options, surroundings, signals);
    } catch (error) {
      // A signal that came before the command began ends us as it would have ended the command.
      if (signals.early.signal.aborted)
        return 128 + constants.signals[signals.early.signal.reason as NodeJS.Signals];
      throw error;
    } finally {
      ending.abort();
    }
  },
};

type Signals = { early: AbortController; passTo(handler: (signal: NodeJS.Signals) => void): void };

/** A terminal sends these to the command itself as well. */
const SENT_BY_TERMINAL = new Set<NodeJS.Signals>(['SIGINT', 'SIGQUIT']);

function takeSignals(surroundings: Surroundings, until: AbortSignal): Signals {
  const early = new AbortController();
  let handler = (signal: NodeJS.Signals) => early.abort(signal);
  surroundings.onSignal((signal) => handler(signal), until);
  return {
    early,
    passTo(next) {
      handler = (signal) => {
        if (!(surroundings.stdin.isTTY && SENT_BY_TERMINAL.has(signal))) next(signal);
      };
    },
  };
}

async function runWithTokens(
  options: ExecOptions,
  surroundings: Surroundings,
  signals: Signals,
): Promise<number> {
  const { env, stdin, stdout, stderr } = surroundings;
  const warn = (line: string) => void stderr.write(`mayfly: ${line}\n`);
  const book = secretBook();
  const { signal } = signals.early;
  const grant = await readGrant({ file: options.grant, env, stdin, now: Date.now(), signal });
  const step = await prepareDeclaredStep({ options, surroundings, grant, book, warn, signal });
  await using _ = step;
  const leaks = leakReports(step, warn);
  const guard = () => maskStream(book, leakWatch(book.all, leaks.found));
  const { command, noMask } = options;
  const isInputUsed = options.grant === '-';
  const plain = { command, environment: step.environment };
  // Until here a signal ends us, from here on it is the command's.
  signal.throwIfAborted();
  const code = await runStep({
    ...((noMask || isInputUsed ? undefined : onTerminal(command, step.environment, surroundings)) ?? plain),
    isInputUsed,
    guard: noMask ? undefined : guard,
    outputs: { stdout, stderr },
    onSignal: signals.passTo,
  });
  return (await leaks.areReported()) ? code : EXIT_CODES.masking;
}

/** The first leak ends the build, so that one report is enough. */
function leakReports({ issuer, stopRefreshing }: Prepared, warn: (line: string) => void) {
  let report: Promise<boolean> | undefined;
  return {
    found(form: LeakForm) {
      if (report !== undefined) return;
      stopRefreshing();
      warn(
        `a token stands in the output, ${form}: it cannot be masked, so the tokens of this build are ended`,
      );
      report = issuer.reportLeak(`found in the output, ${form}`).then(
        () => true,
        (error: unknown) => {
          if (isAlreadyOver(error)) return true;
          warn(
            `the leak could not be reported: ${error instanceof CommandError ? error.message : 'unknown error'}`,
          );
          return false;
        },
      );
    },
    areReported: async () => (await report) ?? true,
  };
}

function isAlreadyOver(error: unknown): boolean {
  return error instanceof CommandError && error.code === 'invalid_token';
}
