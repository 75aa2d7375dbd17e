import { ServiceError } from '@mayfly/contracts/errors';

/** Takes a reply of Redis; gives it. Throws `temporarily_unavailable` where it fails. */
export async function guarded<T>(reply: Promise<T>): Promise<T> {
  try {
    return await reply;
  } catch (cause) {
    throw unwritable(cause);
  }
}

/** What is thrown where a build cannot be recorded, for whatever reason. */
export function unwritable(cause: unknown): ServiceError {
  return new ServiceError('temporarily_unavailable', 'the state of builds cannot be written', { cause });
}
