import type { ProfileFile } from './profile-file.ts';
import type { Report } from './report.ts';

/** Fields of the reply that are Mayfly's own. */
const OWN_FIELDS: ReadonlySet<string> = new Set(['expires_at']);

/** Variables by which a program finds or loads others, or trusts them: a token there would break the build, or worse. */
const TAKEN =
  /^(PATH|PATHEXT|HOME|USERPROFILE|USER|LOGNAME|SHELL|COMSPEC|IFS|ENV|BASH_ENV|PWD|OLDPWD|TMPDIR|TEMP|TMP|LANG|TERM|(LD|DYLD|LC)_.*|NODE_(OPTIONS|PATH|EXTRA_CA_CERTS|TLS_REJECT_UNAUTHORIZED)|PYTHON(PATH|HOME|STARTUP)|PERL5(LIB|OPT)|RUBY(LIB|OPT)|_?JAVA_(TOOL_)?OPTIONS|JAVA_HOME|CLASSPATH|GIT_(SSH|SSH_COMMAND|ASKPASS|EXEC_PATH|DIR|CONFIG.*)|SSL_CERT_(FILE|DIR)|(HTTP|HTTPS|ALL|NO)_PROXY)$/i;

/** Takes a profile's file; reports environment variables and fields of the reply that would stand in each other's way. */
export function reportReply({ variables, reply }: ProfileFile, report: Report): void {
  const named = Object.entries(variables).flatMap(([use, names]) =>
    names.map((name, index) => ({ name, at: ['variables', use, `${index}`] })),
  );
  for (const { name, at } of named) {
    if (TAKEN.test(name)) report(at, `${name} is a variable that programs need for themselves`);
    if (named.find((one) => one.name === name)?.at !== at)
      report(at, `${name} can hold one thing only, and has been named already`);
  }
  // An address and its request token have one place in their lists: half of a pair would be of no use.
  if (variables.request_url?.length !== variables.request_token?.length)
    report(['variables'], 'must have as many request_url as request_token');
  for (const [index, field] of reply.entries()) {
    const at = ['reply', `${index}`];
    if (OWN_FIELDS.has(field)) report(at, `${field} is a field that every reply has`);
    if (reply.indexOf(field) < index) report(at, `${field} has been named already`);
  }
}
