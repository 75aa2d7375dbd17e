import { describeFaults } from '@mayfly/contracts/check';
import { ServiceError } from '@mayfly/contracts/errors';
import { type BuildStarted, checkBuildStarted } from '@mayfly/contracts/events';

const SHAPE = 'build-started.schema.json among the published schemas says what it may hold';

/**
 * Takes the text of a `build.started` event; gives the event. Throws a ServiceError (`invalid_request`) that names
 * every fault, and what to give instead.
 */
export function readEvent(text: string): BuildStarted {
  const value = parse(text);
  const type = String((value as { type?: unknown } | null)?.type ?? '');
  if (type.startsWith('dev.cdevents.'))
    throw new ServiceError(
      'invalid_request',
      'the event is a CDEvent, which build-lifecycle translates: give the dev.mayfly.ci.build.started event',
    );
  if (type === 'dev.mayfly.ci.build.finished')
    throw new ServiceError(
      'invalid_request',
      'the event is the end of a build: give the one of its start, dev.mayfly.ci.build.started',
    );
  if (checkBuildStarted.is(value)) return value;
  const faults = describeFaults(checkBuildStarted.faults(value));
  throw new ServiceError('invalid_request', `the event is refused: ${faults}; correct it (${SHAPE})`);
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new ServiceError(
      'invalid_request',
      'the event is not JSON: give the file with the event that the CI publishes on ci.<source>.build.started',
      { cause },
    );
  }
}
