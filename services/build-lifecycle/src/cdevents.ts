import { checker } from '@mayfly/contracts/check';
import { ServiceError } from '@mayfly/contracts/errors';
import { BuildFinished, BuildStarted } from '@mayfly/contracts/events';
import Type from 'typebox';

/** What a CDEvent is to us: one of our events, or nothing. */
export type FromCdEvent =
  | { kind: 'started'; event: BuildStarted }
  | { kind: 'finished'; event: BuildFinished }
  | { kind: 'ignored' };

const TYPE = /^dev\.cdevents\.(pipelinerun|taskrun|build)\.(started|finished)\.0\.[23]\.\d+$/;

const checkCdEvent = checker(
  Type.Object({
    context: Type.Object({
      id: Type.String({ minLength: 1, maxLength: 128 }),
      source: Type.String(),
      type: Type.String(),
      timestamp: Type.String(),
    }),
    subject: Type.Object({
      id: Type.String(),
      content: Type.Object({
        pipelineName: Type.Optional(Type.String()),
        taskName: Type.Optional(Type.String()),
        uri: Type.Optional(Type.String()),
        url: Type.Optional(Type.String()),
        outcome: Type.Optional(Type.String()),
      }),
    }),
    customData: Type.Optional(Type.Unknown()),
  }),
);
type CdEvent = ReturnType<typeof checkCdEvent.parse>;

const checkStarted = checker(BuildStarted);
const checkFinished = checker(BuildFinished);

/** Says whether a JSON value is a CDEvent, bare or in the `data` of a CloudEvent. */
export function isCdEvent(body: unknown): boolean {
  return typeOf(body)?.startsWith('dev.cdevents.') ?? false;
}

/**
 * Takes a CDEvent (0.4 or 0.5: `pipelinerun`, `taskrun` and `build`, versions 0.2 and 0.3 of each) and the source that
 * it came from; gives the event of ours that it says. Our facts stand in `customData.mayfly`, in the shape of the `data`
 * of `build.started`, and win over what the CDEvent says itself. Throws `invalid_request`.
 */
export function fromCdEvent(body: unknown, source: string): FromCdEvent {
  const [, , verb] = TYPE.exec(typeOf(body) ?? '') ?? [];
  if (!verb) return { kind: 'ignored' };
  const event = checkCdEvent.parse(cdEventIn(body));
  const { id, timestamp: time } = event.context;
  const envelope = { specversion: '1.0', id, source, time } as const;
  const facts = factsOf(event);
  if (verb === 'finished') {
    const { attempt } = (facts['build'] ?? {}) as { attempt?: unknown };
    const { outcome } = event.subject.content;
    const data = {
      id: event.subject.id,
      ...(attempt === undefined ? {} : { attempt }),
      ...(outcome ? { outcome } : {}),
    };
    return {
      kind: 'finished',
      event: checkFinished.parse({ ...envelope, type: 'dev.mayfly.ci.build.finished', data }),
    };
  }
  const data = {
    ...facts,
    build: { ...buildOf(event), ...(facts['build'] as object), id: event.subject.id },
  };
  return {
    kind: 'started',
    event: checkStarted.parse({ ...envelope, type: 'dev.mayfly.ci.build.started', data }),
  };
}

function buildOf({ subject: { content } }: CdEvent): object {
  const { pipelineName, taskName, uri = content.url } = content;
  return {
    ...(pipelineName ? { pipeline: { name: pipelineName } } : {}),
    ...(taskName ? { job: { name: taskName } } : {}),
    ...(uri ? { url: uri } : {}),
  };
}

function factsOf({ customData }: CdEvent): Record<string, unknown> {
  const facts = isObject(customData) ? customData['mayfly'] : undefined;
  if (facts === undefined) return {};
  if (!isObject(facts) || ('build' in facts && !isObject(facts['build']))) {
    throw new ServiceError(
      'invalid_request',
      'customData.mayfly must be an object like the data of build.started',
    );
  }
  return facts;
}

function cdEventIn(body: unknown): unknown {
  return isObject(body) && isObject(body['data']) && !('context' in body) ? body['data'] : body;
}

function typeOf(body: unknown): string | undefined {
  const event = cdEventIn(body);
  const context = isObject(event) ? event['context'] : undefined;
  const type = isObject(context) ? context['type'] : undefined;
  return typeof type === 'string' ? type : undefined;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
