import type { Static, TObject } from 'typebox';
import { lookAtEnv } from './config.ts';

/** What is wrong with a service's settings, collected while they are read. */
export type Faults = {
  /**
   * Gives what `read` gives. What it throws is one more fault; then, and where something that it needs is unknown for a
   * fault of its own, gives undefined.
   */
  collect<A extends unknown[], T>(
    read: (...known: A) => T,
    ...needs: { [K in keyof A]: A[K] | undefined }
  ): T | undefined;
  add(...messages: readonly string[]): void;
};

/** The settings of the environment, of which some may be missing or, where their fault is named already, wrong. */
type Known<S extends TObject> = { [K in keyof Static<S>]?: Static<S>[K] | undefined };
type Sure<R> = { [K in keyof R]: Exclude<R[K], undefined> };

/**
 * Takes a schema, the environment, and a function that reads what else a service is given: its policy, and what secrets
 * and files hold. Gives all of it, frozen. Throws a TypeError that names every fault of all of them in one line.
 */
export function readSettings<S extends TObject, R extends object>(
  schema: S,
  env: Record<string, string | undefined>,
  read: (known: Known<S>, faults: Faults) => R,
): Readonly<Static<S> & Sure<R>> {
  const { values, faults } = lookAtEnv(schema, env);
  const messages = faults.map((fault) => `${PREFIX}${fault}`);
  const rest = read(values as Known<S>, {
    collect(act, ...needs) {
      if (needs.some((need) => need === undefined)) return undefined;
      try {
        return act(...(needs as Parameters<typeof act>));
      } catch (error) {
        messages.push((error as Error).message);
        return undefined;
      }
    },
    add: (...more) => void messages.push(...more),
  });
  if (messages.length > 0) throw new TypeError(oneLine(messages));
  return Object.freeze({ ...values, ...rest }) as Readonly<Static<S> & Sure<R>>;
}

const PREFIX = 'settings: ';

/** Settings first, the word once; then what files have wrong, each with its name and line. */
function oneLine(messages: readonly string[]): string {
  const own = messages.filter((message) => message.startsWith(PREFIX));
  const others = messages.filter((message) => !message.startsWith(PREFIX));
  const settings = own.map((message) => message.slice(PREFIX.length)).join('; ');
  return [...(settings ? [`${PREFIX}${settings}`] : []), ...others].join('; ');
}
