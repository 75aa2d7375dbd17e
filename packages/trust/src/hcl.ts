/** What begins a template in Terraform's language: doubled, the sign means itself. */
const TEMPLATE = /([$%])\{/g;

/** Takes text; gives it as a string of Terraform's language, that means exactly this text. */
export function hclString(text: string): string {
  const escaped = text
    .replaceAll('\\', '\\\\')
    .replaceAll('"', '\\"')
    .replaceAll('\n', '\\n')
    .replace(TEMPLATE, '$1$1{');
  return `"${escaped}"`;
}

/** Takes text of several lines; gives it as an indented heredoc of Terraform's language, that means this text. */
export function hclHeredoc(text: string, indent: string): string {
  const lines = text.replace(TEMPLATE, '$1$1{').split('\n');
  return ['<<-EOT', ...lines.map((line) => `${indent}  ${line}`), `${indent}EOT`].join('\n');
}

/** Takes text; gives it as a resource's name in Terraform: letters, digits, `_`, and no digit in front. */
export function hclName(text: string): string {
  return text.replace(/[^A-Za-z0-9_]/g, '_').replace(/^(?=[0-9])/, '_') || '_';
}
