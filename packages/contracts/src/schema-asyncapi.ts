import { MAX_EVENT_BYTES } from './bus.ts';
import { ReplyName, SourceName } from './names.ts';
import { CHANNELS, type Channel, type Party } from './schema-channels.ts';

type Parameter = { description?: string; pattern?: string };

const PARAMETERS: Readonly<Record<string, Parameter>> = {
  source: { ...(SourceName as object) },
  reply: { ...(ReplyName as object), description: 'The `reply` of build.started.' },
};

/** Those of whom any number listen as one: a message reaches one of them. */
const QUEUES: ReadonlySet<Party> = new Set(['build-lifecycle', 'issuer', 'key-manager']);

/** Gives the AsyncAPI 3 document of everything that is said over NATS, from where the services stand. */
export function asyncApiDocument(): Record<string, unknown> & { components: object } {
  return {
    asyncapi: '3.0.0',
    info: {
      title: 'Mayfly: events',
      version: '1',
      description: `What CI systems, services and operators say to each other over NATS, as JSON in UTF-8. Events are CloudEvents 1.0, at most ${MAX_EVENT_BYTES} bytes; one that goes to a stream has its \`id\` as Nats-Msg-Id.`,
      license: { name: 'Apache-2.0' },
    },
    servers: {
      nats: {
        host: 'nats.example.com:4222',
        protocol: 'nats',
        security: [{ $ref: '#/components/securitySchemes/userPassword' }],
      },
    },
    defaultContentType: 'application/json',
    channels: Object.fromEntries(CHANNELS.flatMap(channels)),
    operations: Object.fromEntries(CHANNELS.flatMap(operations)),
    components: {
      messages: Object.fromEntries(CHANNELS.flatMap(messages)),
      securitySchemes: {
        userPassword: { type: 'userPassword', description: 'The NATS user of a source, or of the operator.' },
      },
    },
  };
}

function channels({
  name,
  address,
  summary,
  from,
  to,
  stream,
  consumer,
  answer,
}: Channel): [string, object][] {
  const inAddress = [...address.matchAll(/\{(\w+)\}/g)].map(([, one = '']): [string, object] => {
    const { description = '', pattern } = PARAMETERS[one] ?? {};
    return [one, { description, 'x-pattern': pattern }];
  });
  const channel = {
    address,
    summary,
    messages: { [name]: { $ref: `#/components/messages/${name}` } },
    ...(inAddress.length > 0 ? { parameters: Object.fromEntries(inAddress) } : {}),
    'x-from': from,
    'x-to': to,
    ...(stream ? { 'x-jetstream': { stream, ...(consumer ? { consumer } : {}) } } : {}),
  };
  if (!answer) return [[name, channel]];
  const reply = {
    address: null,
    messages: { [`${name}Answer`]: { $ref: `#/components/messages/${name}Answer` } },
  };
  return [
    [name, channel],
    [`${name}Answer`, reply],
  ];
}

/** One operation for each service that says or hears it; what a CI or an operator does is the other side of one. */
function operations(channel: Channel): [string, object][] {
  const isService = (party: Party) => party !== 'ci' && party !== 'operator';
  return [
    ...channel.from.filter(isService).map((party) => operation('send', party, channel)),
    ...channel.to.filter(isService).map((party) => operation('receive', party, channel)),
  ];
}

function operation(
  action: 'send' | 'receive',
  party: Party,
  { name, summary, stream, answer }: Channel,
): [string, object] {
  const isQueue = action === 'receive' && !stream && QUEUES.has(party) && name !== 'heartbeat';
  const reply = {
    address: { description: 'The reply subject of the request.', location: '$message.header#/reply' },
    channel: { $ref: `#/channels/${name}Answer` },
  };
  const described = {
    action,
    summary,
    channel: { $ref: `#/channels/${name}` },
    tags: [{ name: party }],
    ...(isQueue ? { bindings: { nats: { queue: party, bindingVersion: '0.1.0' } } } : {}),
    ...(answer ? { reply } : {}),
  };
  return [`${party}.${action}.${name}`, described];
}

function messages({ name, summary, payload, answer }: Channel): [string, object][] {
  const message = (what: string, schema: object): [string, object] => [
    what,
    { name: what, summary: what === name ? summary : 'The answer to it.', payload: schema },
  ];
  return [message(name, payload), ...(answer ? [message(`${name}Answer`, answer)] : [])];
}
