/** Takes Terraform's text and the name of an argument; gives the text of its string or heredoc, as Terraform would read it. For tests. */
export function hclArgument(text: string, name: string): string {
  const heredoc = new RegExp(`^ *${name} += <<-EOT\\n([\\s\\S]*?)\\n *EOT$`, 'm').exec(text)?.[1];
  if (heredoc !== undefined) {
    const lines = heredoc.split('\n');
    const indent = Math.min(...lines.map((line) => /^ */.exec(line)?.[0].length ?? 0));
    return untemplated(lines.map((line) => line.slice(indent)).join('\n'));
  }
  const quoted = new RegExp(`^ *"?${RegExp.escape(name)}"? += \\[?("(?:[^"\\\\]|\\\\.)*")`, 'm').exec(
    text,
  )?.[1];
  if (quoted === undefined) throw new TypeError(`there is no ${name}`);
  return hclStringValue(quoted);
}

/** Takes a string of Terraform's language, quoted; gives its text. A template in it is not read. */
export function hclStringValue(quoted: string): string {
  const inner = quoted.slice(1, -1);
  if (/(?<!\$)\$\{|(?<!%)%\{/.test(inner)) throw new TypeError('the string holds a template');
  return untemplated(inner).replace(/\\([\\"n])/g, (_, sign: string) => (sign === 'n' ? '\n' : sign));
}

function untemplated(text: string): string {
  return text.replace(/\$\$\{/g, () => '$' + '{').replace(/%%\{/g, '%{');
}

/** Takes a command line of several lines; gives its words, as a POSIX shell would part them. For tests. */
export function shellWords(command: string): string[] {
  const joined = command.replaceAll('\\\n', ' ');
  return [...joined.matchAll(/(?:'[^']*'|\\.|[^\s'\\])+/g)].map(([word]) =>
    word.replace(/'([^']*)'|\\(.)/g, (_, quoted?: string, sign?: string) => quoted ?? sign ?? ''),
  );
}

/** Takes the words of a command and an option; gives the option's value. For tests. */
export function optionOf(words: readonly string[], option: string): string {
  const value = words[words.indexOf(option) + 1];
  if (!words.includes(option) || value === undefined) throw new TypeError(`there is no ${option}`);
  return value;
}
