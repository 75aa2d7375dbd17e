import { expect, test } from 'vitest';
import { renderGoTemplate } from './go-template.ts';

const VALUES = new Map([
  ['url', 'https://git.example'],
  ['ref_type', 'branch'],
  ['ref', 'main'],
  ['a.b/c', 'x<y'],
]);

test.each([
  ['{{ .url }}/{{.ref}}', 'https://git.example/main'],
  ['{{ index . "a.b/c" }}', 'x<y'],
  ['{{(index . "a.b/c")}}', 'x<y'],
  ['refs/{{if eq .ref_type "branch"}}heads/{{ else }}tags/{{end}}{{ .ref }}', 'refs/heads/main'],
  ['refs/{{if eq .ref_type "tag"}}tags/{{ else }}heads/{{end}}{{ .ref }}', 'refs/heads/main'],
  ['{{if eq .ref_type "tag"}}x{{end}}', ''],
  ['plain', 'plain'],
])('%s is %s', (template, text) => {
  expect(renderGoTemplate(template, VALUES)).toBe(text);
});

test.each(['{{ .absent }}', '{{ range . }}', '{{end}}', '{{if eq .absent "x"}}a{{end}}'])(
  '%s is refused',
  (template) => {
    expect(() => renderGoTemplate(template, VALUES)).toThrow(TypeError);
  },
);
