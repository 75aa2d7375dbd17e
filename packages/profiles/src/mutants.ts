import type { ClaimRule, Profile, SubjectForm } from './profile.ts';

/** What was done to a profile, and the profile after it. */
type Mutant = readonly [what: string, profile: Profile];

/** Takes a profile; gives it with one thing dropped, changed or renamed, each thing in turn. */
export function* mutantsOf(profile: Profile): Generator<Mutant> {
  for (const [what, claims] of rulesWithout(profile.claims, 'claims')) yield [what, { ...profile, claims }];
  for (const [what, optionalClaims] of rulesWithout(profile.optionalClaims, 'optional_claims'))
    yield [what, { ...profile, optionalClaims }];
  for (const [what, subject] of subjectsWithout(profile))
    yield [`subject${what}`, { ...profile, subject: { ...profile.subject, ...subject } }];
  yield* surroundingsWithout(profile);
}

type Rules = readonly ClaimRule[];

function* rulesWithout(rules: Rules, section: string): Generator<[string, Rules]> {
  for (const [index, rule] of rules.entries()) {
    const at = `${section}.${rule.name}`;
    const put = (changed: Partial<ClaimRule>) => rules.with(index, { ...rule, ...changed });
    yield [`${at} dropped`, rules.toSpliced(index, 1)];
    yield [`${at} renamed`, put({ name: `other_${rule.name}` })];
    if (rule.required) yield [`${at}.required dropped`, put({ required: false })];
    if (rule.absent !== undefined) yield [`${at}.absent dropped`, put({ absent: undefined })];
    if (rule.type !== 'string') yield [`${at}.type dropped`, put({ type: 'string' })];
    for (const [what, source] of sourcesWithout(rule)) yield [`${at}${what} dropped`, put({ source })];
  }
}

type Source = ClaimRule['source'];

function* sourcesWithout({ source }: ClaimRule): Generator<[string, Source]> {
  if (source.kind === 'value') yield ['.value', { ...source, value: `${source.value}.` }];
  if (source.kind === 'facts' && source.paths.length > 1)
    for (const [path, paths] of eachWithout(source.paths)) yield [`.from.${path}`, { ...source, paths }];
  if (source.kind === 'members')
    for (const [[member], members] of eachWithout(source.members))
      yield [`.members.${member}`, { ...source, members }];
  if (source.kind === 'template') yield* templatesWithout(source);
}

function* templatesWithout(source: Source & { kind: 'template' }): Generator<[string, Source]> {
  for (const [index, group] of source.template.entries())
    if (group.length > 0)
      yield [`.template.${index}`, { ...source, template: source.template.with(index, []) }];
}

function eachWithout<T>(all: readonly T[]): [T, readonly T[]][] {
  return all.map((one, index) => [one, all.toSpliced(index, 1)]);
}

type Subject = Profile['subject'];

function* subjectsWithout({ subject }: Profile): Generator<[string, Partial<Subject>]> {
  const { alternates, separator, strict, maxBytes } = subject;
  yield ['.escape changed', { strict: !strict }];
  yield ['.separator changed', { separator: separator === ':' ? '/' : ':' }];
  yield ['.max_bytes changed', { maxBytes: maxBytes + 1000 }];
  for (const name of alternates.keys())
    if (name !== subject.default) yield [`.default changed to ${name}`, { default: name }];
  for (const [name, forms] of alternates) {
    const put = (changed: readonly SubjectForm[]) => ({ alternates: new Map(alternates).set(name, changed) });
    for (const [what, changed] of formsWithout(forms)) yield [`.alternates.${name}${what}`, put(changed)];
  }
}

function* formsWithout(forms: readonly SubjectForm[]): Generator<[string, readonly SubjectForm[]]> {
  for (const [index, form] of forms.entries()) {
    const at = forms.length > 1 ? `.${index}` : '';
    yield [`${at} dropped`, forms.toSpliced(index, 1)];
    for (const [one, [path]] of form.when.entries())
      yield [`${at}.when.${path} dropped`, forms.with(index, { ...form, when: form.when.toSpliced(one, 1) })];
    for (const [one, { pieces }] of form.components.entries()) {
      const of = pieces.map((piece) => ('text' in piece ? piece.text : `{${piece.path}}`)).join('');
      const components = form.components.toSpliced(one, 1);
      yield [`${at} ${one} ${of} dropped`, forms.with(index, { ...form, components })];
    }
  }
}

const KEYS = ['requestUrl', 'requestToken', 'token'] as const;

function* surroundingsWithout(profile: Profile): Generator<Mutant> {
  const { audience, variables, reply, subject, forkClaim, sessionTags, notBeforeSeconds } = profile;
  for (const key of KEYS)
    for (const [index, name] of variables[key].entries()) {
      const renamed = variables[key].with(index, `OTHER_${name}`);
      yield [`variables.${name} renamed`, { ...profile, variables: { ...variables, [key]: renamed } }];
    }
  for (const [index, field] of reply.entries())
    yield [`reply.${field} renamed`, { ...profile, reply: reply.with(index, `other_${field}`) }];
  for (const [index, name] of subject.requestable.entries()) {
    const requestable = subject.requestable.toSpliced(index, 1);
    yield [`requestable.${name} dropped`, { ...profile, subject: { ...subject, requestable } }];
  }
  const { default: fallback, ...rest } = audience;
  for (const form of ['string', 'array', 'asked'] as const)
    if (form !== audience.form)
      yield [`audience.form ${form}`, { ...profile, audience: { ...audience, form } }];
  yield ['audience.several changed', { ...profile, audience: { ...audience, several: !audience.several } }];
  if (fallback) yield ['audience.default dropped', { ...profile, audience: rest }];
  yield ['session_tags changed', { ...profile, sessionTags: !sessionTags }];
  if (forkClaim !== undefined) yield ['fork_claim changed', { ...profile, forkClaim: `${forkClaim}_` }];
  yield ['not_before_seconds changed', { ...profile, notBeforeSeconds: (notBeforeSeconds ?? 30) + 1 }];
}
