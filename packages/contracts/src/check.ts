import type { Static, TSchema } from 'typebox';
import { Compile } from 'typebox/compile';
import { type ErrorCode, ServiceError } from './errors.ts';

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

type RawError = { keyword: string; instancePath: string; message: string; params: object };

function faultsOf(errors: RawError[]): Fault[] {
  const shown = errors.filter((error) => error.keyword !== 'boolean');
  return shown.slice(0, 20).map((error) => ({ at: error.instancePath, message: messageOf(error) }));
}

function messageOf({ keyword, message, params }: RawError): string {
  const extra = params as { additionalProperties?: string[]; allowedValues?: unknown[] };
  if (keyword === 'additionalProperties' && extra.additionalProperties) {
    return `must not have ${extra.additionalProperties.map((name) => name.slice(0, 64)).join(', ')}`;
  }
  if (keyword === 'enum' && extra.allowedValues) return `must be one of ${extra.allowedValues.join(', ')}`;
  return message;
}
