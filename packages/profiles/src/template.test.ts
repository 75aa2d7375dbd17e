import { expect, test } from 'vitest';
import { parseTemplate, pathsOf, renderTemplate } from './template.ts';

const render = (text: string, facts: Record<string, unknown>) =>
  renderTemplate(parseTemplate(text), (path) => facts[path]);

test.each([
  ['{event}[:{action}]', { event: 'push' }, 'push'],
  ['{event}[:{action}]', { event: 'pull_request', action: 'opened' }, 'pull_request:opened'],
  ['a/{step.key?}/b', {}, 'a//b'],
  ['n{number}', { number: 0 }, 'n0'],
  ['text', {}, 'text'],
])('%s of %j reads %s', (text, facts, read) => {
  expect(render(text, facts)).toBe(read);
});

test('without a fact that it needs, a template has no text at all', () => {
  expect(render('https://{ref}', {})).toBeUndefined();
  expect(render('{event}[:{action}]', { action: 'opened' })).toBeUndefined();
});

test.each(['a[b', 'a]b', 'a[b[c]]', '[a]]', '{ref', 'ref}', '{}', '{Ref}'])('%s is no template', (text) => {
  expect(() => parseTemplate(text)).toThrow(TypeError);
});

test('a template knows the facts that it is made of', () => {
  expect(pathsOf(parseTemplate('{event}[:{action}]{step.key?}'))).toEqual(['event', 'action', 'step.key']);
});
