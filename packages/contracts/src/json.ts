import { ServiceError } from './errors.ts';

const UTF8 = new TextDecoder('utf-8', { fatal: true });

/**
 * Takes the bytes of a message and what it is called; gives the value that they are JSON of (RFC 8259 §8.1). Throws
 * `invalid_request` where they are not, in UTF-8.
 */
export function readJson(data: Uint8Array, what: string): unknown {
  try {
    return JSON.parse(UTF8.decode(data));
  } catch (cause) {
    throw new ServiceError('invalid_request', `the ${what} is not JSON in UTF-8`, { cause });
  }
}

/** Gives what a command asks for: of one that says nothing, an empty object. */
export function readCommand(data: Uint8Array): unknown {
  return data.length === 0 ? {} : readJson(data, 'request');
}
