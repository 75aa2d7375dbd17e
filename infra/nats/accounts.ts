import { BUCKETS, CONSUMERS, EVENT_NAMES, IMPORTED_API, NAMES_BUCKET, STREAMS } from '@mayfly/contracts/bus';
import { consumer, inbox, PERMISSIONS, type Permissions } from './permissions.ts';

/** The account of a source: only what it says about its builds leaves it, and only `tokens.<source>.>` enters. */
export const sourceAccount = (source: string) => `ci-${source}`;

/**
 * A subject that crosses the border of an account: what is asked there (`service`), or with several answers (`services`), or what is
 * heard from there (`stream`); and what it is called on the other side, where that is another name.
 */
type Crossing = {
  subject: string;
  is: 'service' | 'services' | 'stream';
  from: string;
  to: string;
  as?: string;
};

/** What each account is there for: its users, and whether it has streams. */
const ACCOUNTS = {
  KEYS: { users: ['bootstrap-keys', 'key-manager'], hasStreams: true },
  MAYFLY: { users: ['bootstrap', 'build-lifecycle'], hasStreams: true },
  ISSUER: { users: ['issuer'], hasStreams: false },
  OPERATOR: { users: ['operator'], hasStreams: false },
  PUBLISHER: { users: ['jwks-publisher'], hasStreams: false },
};

/** Takes the sources and the password of each user; gives the accounts, one a source among them. */
export function accountsConfig(sources: string[], password: (user: string) => string): string {
  const crossings = crossingsOf(sources);
  const ours = Object.entries(ACCOUNTS).map(([name, { users, hasStreams }]) => {
    const lines = users.map((one) => user(one, password(one), PERMISSIONS[one]));
    return account(name, hasStreams, lines, crossings);
  });
  const theirs = sources.map((source) => {
    const name = sourceAccount(source);
    const permissions = { publish: [`ci.${source}.>`], subscribe: [`tokens.${source}.>`, inbox(name)] };
    return account(name, false, [user(name, password(name), permissions)], crossings);
  });
  return [...ours, ...theirs].join('\n');
}

/**
 * Everything that crosses the border of an account. The services that others reach from outside, and operators, are in accounts of
 * their own because a server delivers what JetStream answers to whatever subject the question names for it, and asks nobody whether
 * it may: within one account that is any request of JetStream, and whoever may read one stream could delete every other.
 */
function crossingsOf(sources: string[]): Crossing[] {
  const across = (from: string, to: string, is: Crossing['is'], ...subjects: string[]): Crossing[] =>
    subjects.map((subject) => ({ subject, is, from, to, ...named(subject) }));
  const { adminBuilds, adminDeadLetters, adminKeys, adminNames } = EVENT_NAMES;
  const pull = consumer(STREAMS.lifecycle, CONSUMERS.issuer);
  const isPull = (subject: string) => subject.includes('MSG.NEXT');
  const namesBucket = [`$KV.${NAMES_BUCKET}.*.*.*`, `$JS.API.STREAM.MSG.GET.KV_${NAMES_BUCKET}`];
  return [
    ...across('KEYS', 'ISSUER', 'service', EVENT_NAMES.signIdToken),
    ...across('KEYS', 'PUBLISHER', 'service', EVENT_NAMES.signStatusList, READ_KEY_SET),
    ...across('KEYS', 'OPERATOR', 'service', adminKeys('*')),
    ...across('ISSUER', 'OPERATOR', 'service', adminNames('*')),
    ...across('MAYFLY', 'OPERATOR', 'service', adminBuilds('*'), adminDeadLetters('*')),
    ...across('MAYFLY', 'ISSUER', 'services', ...pull.filter(isPull)),
    ...across('MAYFLY', 'ISSUER', 'service', ...pull.filter((subject) => !isPull(subject))),
    ...across('MAYFLY', 'ISSUER', 'service', ...namesBucket, EVENT_NAMES.revokeBuild),
    ...across('MAYFLY', 'PUBLISHER', 'services', `$JS.API.DIRECT.GET.${STREAMS.lifecycle}`),
    ...across('MAYFLY', 'PUBLISHER', 'service', `$JS.API.STREAM.MSG.GET.${STREAMS.lifecycle}`),
    ...across('MAYFLY', 'PUBLISHER', 'stream', EVENT_NAMES.buildFinishedStored),
    ...sources.flatMap((source): Crossing[] => {
      const { started, finished, heartbeat, grant, keySetChanged } = EVENT_NAMES;
      const said = [started(source), finished(source), heartbeat(source)];
      const keySet = `$KV.${BUCKETS.keySets}.${source}`;
      return [
        ...across('MAYFLY', sourceAccount(source), 'service', ...said),
        ...across('ISSUER', sourceAccount(source), 'service', grant(source)),
        ...across('ISSUER', sourceAccount(source), 'stream', `tokens.${source}.>`),
        { subject: keySet, is: 'stream', from: 'KEYS', to: 'PUBLISHER', as: keySetChanged(source) },
      ];
    }),
  ];
}

const READ_KEY_SET = `$JS.API.STREAM.MSG.GET.KV_${BUCKETS.keySets}`;

/** JetStream's own names mean the importing account's streams there. */
function named(subject: string): { as?: string } {
  if (subject === READ_KEY_SET) return { as: EVENT_NAMES.readKeySet };
  return subject.startsWith('$JS.API.') ? { as: subject.replace('$JS.API', IMPORTED_API) } : {};
}

function account(name: string, hasStreams: boolean, users: string[], crossings: Crossing[]): string {
  const list = (what: string, lines: string[]) =>
    lines.length === 0 ? [] : [`    ${what}: [`, ...lines.map((line) => `      ${line}`), '    ]'];
  return [
    `  ${name} {`,
    ...(hasStreams ? ['    jetstream: enabled'] : []),
    ...list('users', users),
    ...list('imports', crossings.filter(({ to }) => to === name).map(imported)),
    ...list('exports', crossings.filter(({ from }) => from === name).map(exported)),
    '  }',
  ].join('\n');
}

const kindOf = ({ is }: Crossing) => (is === 'stream' ? 'stream' : 'service');

function exported(crossing: Crossing): string {
  const { subject, to, is } = crossing;
  // The server remembers whom each of several answers goes to until nobody listens, or for two minutes: a pull lasts five seconds.
  const several = is === 'services' ? ', response_type: "stream", response_threshold: "10s"' : '';
  return `{ ${kindOf(crossing)}: ${quote(subject)}, accounts: [${to}]${several} }`;
}

function imported(crossing: Crossing): string {
  const { subject, from, as } = crossing;
  const renamed = as === undefined ? '' : `, to: ${quote(as)}`;
  return `{ ${kindOf(crossing)}: { account: ${from}, subject: ${quote(subject)} }${renamed} }`;
}

function user(name: string, password: string, permissions: Permissions | undefined): string {
  if (!permissions) throw new TypeError(`no permissions are written for ${name}`);
  const list = (subjects: string[]) =>
    subjects.length === 0 ? '{ deny: ">" }' : `{ allow: [${subjects.map(quote).join(', ')}] }`;
  const responses = permissions.responds ? ', allow_responses: { max: 1, expires: "5s" }' : '';
  const allowed = `publish: ${list(permissions.publish)}, subscribe: ${list(permissions.subscribe)}${responses}`;
  return `{ user: ${quote(name)}, password: ${quote(password)}, permissions: { ${allowed} } }`;
}

const quote = (text: string) => JSON.stringify(text);
