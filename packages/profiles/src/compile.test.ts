import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { compileProfile, ProfileError } from './compile.ts';
import { PROFILES_DIR } from './read.ts';

const good = `name: mine
subject:
  separator: ':'
  alternates:
    default: 'repo:{repository.id}:ref:{ref}'
audience: { form: string }
claims:
  build_id: id
  ref: { from: ref, absent: '' }
variables: {}
reply: [value]
`;

const faultsOf = (text: string): readonly string[] => {
  try {
    compileProfile(text, 'mine.yaml');
    return [];
  } catch (error) {
    if (error instanceof ProfileError) return error.faults;
    throw error;
  }
};

test('a copy of a profile that ships, changed, is a profile', () => {
  const text = readFileSync(`${PROFILES_DIR}mayfly.yaml`, 'utf8').replace('name: mayfly', 'name: mine');

  expect(compileProfile(text, 'mine.yaml').name).toBe('mine');
  expect(faultsOf(good)).toEqual([]);
});

/** Aliases of aliases: a line to write, a million of values to hold. */
const bomb = `{ a: &a [0,0,0,0,0,0,0,0,0,0], ${['b', 'c', 'd', 'e', 'f']
  .map((name, index) => `${name}: &${name} [${Array(10).fill(`*${'abcde'[index]}`).join(', ')}]`)
  .join(', ')} }`;

test.each([
  [
    'a field that no build has',
    ['build_id: id', 'build_id: build.id'],
    /^mine.yaml:8: claims.build_id: build.id is no field/,
  ],
  ['a claim that stands twice', ['build_id: id', 'ref: id'], /^mine.yaml:9: Map keys must be unique/],
  [
    'a type that the fact cannot take',
    ['build_id: id', 'build_id: { from: id, type: boolean }'],
    /^mine.yaml:8: claims.build_id.type: cannot be boolean; may be string or integer/,
  ],
  [
    'a type that there is not',
    ['build_id: id', 'build_id: { from: id, type: text }'],
    /^mine.yaml:8: claims.build_id/,
  ],
  [
    'null where a fact is absent',
    ["absent: ''", 'absent: null'],
    /^mine.yaml:9: claims.ref.absent: is not of type string/,
  ],
  [
    'another type where a fact is absent',
    ["absent: ''", 'absent: 0'],
    /^mine.yaml:9: claims.ref.absent: is not of type string/,
  ],
  [
    'a claim from nothing',
    ['build_id: id', 'build_id: { required: true }'],
    /^mine.yaml:8: claims.build_id: must have one of/,
  ],
  [
    'a claim from two things',
    ['build_id: id', 'build_id: { from: id, value: x }'],
    /^mine.yaml:8: claims.build_id: must have one of/,
  ],
  [
    'what is absent of a fact that is required',
    ["absent: ''", "absent: '', required: true"],
    /^mine.yaml:9: claims.ref.absent: is never used/,
  ],
  ['a map as text', ['build_id: id', "build_id: { template: '{labels}' }"], /labels is not text/],
  [
    'a claim for each member of what has none',
    ['build_id: id', 'tag_*: ref.*'],
    /^mine.yaml:8: claims.tag_\*: ref has no members/,
  ],
  [
    'claims of many maps at once',
    ['build_id: id', 'tag_*: { from: [labels.*, variables.*] }'],
    /^mine.yaml:8: claims.tag_\*: takes each member of one map/,
  ],
  ['text under many names', ['build_id: id', 'tag_*: { value: x }'], /takes each member of one map/],
  [
    'a claim of any name',
    ['build_id: id', "'*': labels.*"],
    /^mine.yaml:8: claims.\*: could make a reserved claim/,
  ],
  [
    'claims that could make another claim',
    ['build_id: id', 're*: labels.*'],
    /^mine.yaml:8: claims.re\*: could make ref/,
  ],
  [
    'an unknown subject component',
    ['{ref}', '{refs}'],
    /^mine.yaml:5: subject.alternates.default: refs is no field/,
  ],
  ['two values side by side', [':ref:{ref}', ':ref:{ref}{sha}'], /^mine.yaml:5: .*nothing between them/],
  ['a percent sign in a subject', [':ref:', ':%3A:'], /^mine.yaml:5: .*cannot hold/],
  ['optional parts in a subject', [':ref:{ref}', '[:ref:{ref}]'], /^mine.yaml:5: .*no optional parts/],
  ['braces that do not pair', ['{ref}', '{ref'], /^mine.yaml:5: .*braces do not pair/],
  [
    'a default subject that there is not',
    ["separator: ':'", "separator: ':'\n  default: other"],
    /^mine.yaml:4: subject.default: other is no alternate/,
  ],
  [
    'a default audience that a user could choose',
    ['{ form: string }', "{ form: string, default: 'https://{ref}' }"],
    /^mine.yaml:6: audience.default: ref is user-controlled/,
  ],
  [
    'a fork claim that there is not',
    ['reply:', 'fork_claim: fork\nreply:'],
    /^mine.yaml:11: fork_claim: must name one of the claims/,
  ],
  ['a key that nobody knows', ['reply:', 'claim: {}\nreply:'], /^mine.yaml:.*must not have claim/],
  [
    'a claim whose name has a space',
    ['build_id: id', "'build id': { from: nothing }"],
    /^mine.yaml:.*must not have build id/,
  ],
  [
    'an alternate whose name is none',
    ['    default:', "    Other: 'x'\n    default:"],
    /must not have Other/,
  ],
  [
    'an address without its request token',
    ['variables: {}', 'variables: { request_url: [A_URL] }'],
    /^mine.yaml:10: variables: must have as many request_url as request_token/,
  ],
  [
    'one name for two variables',
    ['variables: {}', 'variables: { request_url: [A], request_token: [A] }'],
    /^mine.yaml:\d+: variables.request_token.0: A can hold one thing only/,
  ],
  [
    'a start of validity that is further back than anybody signs',
    ['reply:', 'not_before_seconds: 601\nreply:'],
    /^mine.yaml:11: not_before_seconds/,
  ],
  ['no reply', ['reply: [value]', 'reply: []'], /^mine.yaml:11: reply/],
  ['a reply whose token another field hides', ['[value]', '[value, expires_at]'], /^mine.yaml:11: reply.1: /],
  [
    'one field of the reply named twice',
    ['[value]', '[value, value]'],
    /^mine.yaml:11: reply.1: value has been/,
  ],
  [
    'one variable for the address and the token',
    ['{}', '\n  request_url: [ID_TOKEN]\n  token: [ID_TOKEN]'],
    /^mine.yaml:12: variables.token.0: ID_TOKEN can hold one thing only/,
  ],
  ...['PATH', 'path', 'LD_PRELOAD', 'NODE_OPTIONS', 'HOME'].map((name): [string, string[], RegExp] => [
    `the variable ${name}`,
    ['{}', `\n  request_url:\n    - ID_URL\n    - ${name}`],
    new RegExp(`^mine.yaml:13: variables.request_url.1: ${name} is a variable that programs need`),
  ]),
  [
    'a fork claim that tells no fork',
    ['reply:', 'fork_claim: build_id\nreply:'],
    /^mine.yaml:11: fork_claim: build_id tells no fork/,
  ],
  [
    'a default audience that is none',
    ['{ form: string }', "\n  form: string\n  default: 'https://{organization.name}/a b'"],
    /^mine.yaml:8: audience.default: is no audience/,
  ],
  [
    'fixed text in a subject that strict forbids',
    [
      "separator: ':'\n  alternates:\n    default: 'repo:",
      "separator: ':'\n  escape: strict\n  alternates:\n    default: 'repo(s):",
    ],
    /^mine.yaml:6: subject.alternates.default: has text that `escape: strict` forbids/,
  ],
  [
    'a subject of nothing but what users control',
    ['repo:{repository.id}', 'repo:{repository.id?}'],
    /^mine.yaml:5: subject.alternates.default: is made of nothing but what users control/,
  ],
  [
    'a list that holds null where a fact is absent',
    ["ref: { from: ref, absent: '' }", 'groups: { from: actor.groups, absent: [a, null] }'],
    /^mine.yaml:9: claims.groups.absent: is not of type list/,
  ],
  [
    'a map that holds null where a fact is absent',
    ["ref: { from: ref, absent: '' }", 'all: { from: labels, absent: { a: [{ b: null }] } }'],
    /^mine.yaml:9: claims.all.absent: is not of type object/,
  ],
  [
    'an alias of nothing',
    ['build_id: id', 'build_id: *nope'],
    /^mine.yaml:8: \*nope has no anchor before it$/,
  ],
  [
    'an alias of what it stands in',
    ["absent: ''", 'absent: &loop [*loop]'],
    /^mine.yaml:9: \*loop stands within itself$/,
  ],
  ['a bomb of aliases', ["absent: ''", `absent: ${bomb}`], /^mine.yaml:9: has too many aliases of aliases$/],
  [
    'a second document after it',
    ['[value]', '[value]\n---\nname: other'],
    /^mine.yaml:12: .*multiple documents/,
  ],
  ['no YAML', ['name: mine', 'name: [mine'], /^mine.yaml:\d+: /],
])('a profile with %s is refused, with the line', (_, [from, to], reason) => {
  const faults = faultsOf(good.replace(from as string, to as string));

  expect(faults.join('\n')).toMatch(reason);
});

test.each([
  'iss',
  'sub',
  'aud',
  'exp',
  'iat',
  'nbf',
  'jti',
  'status',
  'azp',
  'cnf',
  'https://aws.amazon.com/tags',
])('no profile can make the claim %s, always or if asked', (name) => {
  expect(faultsOf(good.replace('build_id: id', `'${name}': id`))[0]).toMatch(/^mine.yaml:8: .*reserved/);
  expect(faultsOf(`${good}optional_claims:\n  '${name}': id\n`)[0]).toMatch(/^mine.yaml:13: .*reserved/);
});

test('what stands in for an absent fact may hold the word null, for it is text', () => {
  const absent = 'groups: { from: actor.groups, absent: [nullable, "null"] }';

  expect(faultsOf(good.replace("ref: { from: ref, absent: '' }", absent))).toEqual([]);
});

test.each<[string, string, string[]]>([
  ['the answer itself', 'fork: { from: derived.fork, type: boolean }', []],
  ['one side of a comparison', 'of: head_repository.id\n  fork: repository.id', []],
  ['one side, without the other', 'of: head_repository.name\n  fork: repository.id', ['fork tells no fork']],
  [
    'what says the same where nothing is known',
    "fork: { from: fork, absent: 'false' }",
    ['fork tells no fork'],
  ],
  [
    'a side for which text stands in',
    "of: head_repository.id\n  fork: { from: repository.id, absent: '' }",
    ['fork tells no fork'],
  ],
])('a fork claim that is %s is used or refused', (_, claims, refused) => {
  const text = `${good.replace('build_id: id', claims)}fork_claim: fork\n`;

  expect(faultsOf(text).map((fault) => fault.split(': ').at(2)?.slice(0, 18))).toEqual(refused);
});

test('a claim is not optional and given', () => {
  expect(faultsOf(`${good}optional_claims: { ref: ref }\n`)).toEqual([
    'mine.yaml:12: optional_claims.ref: is among the claims already',
  ]);
});

test('subjects of one profile that could be taken for each other are refused', () => {
  const two = (second: string) =>
    good.replace("default: 'repo:{repository.id}:ref:{ref}'", `default: ${second}`);
  const forms = (name: string) =>
    `[{ when: { event: [push] }, template: 'a:{ref}:{sha}' }, { template: '${name}:{ref}:{sha}' }]`;

  expect(faultsOf(two(forms('{job.name}')))[0]).toMatch(/^mine.yaml:5: .*can spell the subject of/);
  expect(faultsOf(two(forms('b')))).toEqual([]);
  expect(faultsOf(two("[{ template: 'a:{sha}' }, { template: 'b:{sha}' }]"))[0]).toMatch(
    /nothing after it is ever used/,
  );
});

test('a subject that may be asked for is told apart from all others, one that policy alone chooses need not be', () => {
  const text = good.replace(
    "default: 'repo:{repository.id}:ref:{ref}'",
    "default: '{job.name}:{sha}'\n    other: 'x:{sha}'",
  );

  expect(faultsOf(text)).toEqual([]);
  expect(faultsOf(text.replace('  alternates:', '  requestable: [other]\n  alternates:'))[0]).toMatch(
    /^mine.yaml:7: subject.alternates.other: can spell the subject of subject.alternates.default/,
  );
});

test('every fault is named at once', () => {
  const text = good
    .replace('build_id: id', 'iss: nothing')
    .replace('{ref}', '{refs}')
    .replace("absent: ''", 'absent: 1');

  expect(faultsOf(text).map((fault) => fault.split(': ')[1])).toEqual([
    'claims.iss',
    'claims.iss',
    'claims.ref.absent',
    'subject.alternates.default',
  ]);
});
