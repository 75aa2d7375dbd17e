import type { Static, TSchema } from 'typebox';
import { Compile } from 'typebox/compile';
import { Settings } from 'typebox/system';
import { type ErrorCode, ServiceError } from './errors.ts';

// It stops after eight errors otherwise, and says of each unknown member first that nothing may stand there: with eight of
// them it would say no more than that, of which nothing is shown. What many more than these would take nobody may make us spend.
Settings.Set({ maxErrors: 500 });

/** One thing that is wrong with a value: where (a JSON pointer) and what. */
export type Fault = { at: string; message: string };

/** Checks values against one schema, compiled once. */
export type Checker<T> = {
  /** Says whether `value` has the shape. */
  is(value: unknown): value is T;
  /** Gives every fault of `value`, none if it has the shape. Says names and rules, never values. */
  faults(value: unknown): Fault[];
  /** Gives `value` with its type; throws a ServiceError (`invalid_request` unless told) that names the faults. */
  parse(value: unknown, code?: ErrorCode): T;
};

/** Takes a schema; gives its compiled checker. Compile once per schema, at load. */
export function checker<S extends TSchema>(schema: S): Checker<Static<S>> {
  const compiled = Compile(schema);
  const faults = (value: unknown) => faultsOf([...compiled.Errors(value)]);
  return {
    is: (value): value is Static<S> => compiled.Check(value),
    faults,
    parse(value, code = 'invalid_request') {
      if (compiled.Check(value)) return value as Static<S>;
      throw new ServiceError(code, describeFaults(faults(value)));
    },
  };
}

/** Gives one line for several faults. */
export function describeFaults(faults: Fault[]): string {
  return faults.map(({ at, message }) => (at ? `${at} ${message}` : message)).join('; ');
}

const MOST_FAULTS = 20;
const MOST_NAMES = 10;

function listed(names: readonly string[]): string {
  const shown = names.slice(0, MOST_NAMES).map((name) => name.slice(0, 64));
  const more = names.length > MOST_NAMES ? ` and ${names.length - MOST_NAMES} more` : '';
  return `${shown.join(', ')}${more}`;
}

type RawError = { keyword: string; instancePath: string; message: string; params: object };

function faultsOf(errors: RawError[]): Fault[] {
  const shown = errors.filter((error) => error.keyword !== 'boolean');
  if (shown.length === 0 && errors.length > 0)
    return [{ at: '', message: 'has more faults than are counted' }];
  return shown.slice(0, MOST_FAULTS).map((error) => ({ at: error.instancePath, message: messageOf(error) }));
}

function messageOf({ keyword, message, params }: RawError): string {
  const extra = params as { additionalProperties?: string[]; allowedValues?: unknown[] };
  if (keyword === 'additionalProperties' && extra.additionalProperties) {
    return `must not have ${listed(extra.additionalProperties)}`;
  }
  if (keyword === 'enum' && extra.allowedValues) return `must be one of ${extra.allowedValues.join(', ')}`;
  return message;
}
