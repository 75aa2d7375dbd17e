import type { Command } from './command.ts';

const HELP = `Explain what a build would get: each claim and where it came from, the subject, and what policy allows and refuses.

  mayfly explain --event FILE [OPTIONS]

No server is asked. Without --audience, those are explained that the build declares, or that mayfly.yaml names.

Options
  --event FILE            the event with which the CI starts the build (dev.mayfly.ci.build.started); - reads
                          standard input
  --config FILE           the policy; mayfly.yaml if left out
  --profiles DIRECTORY    where the profiles are, and nowhere else; if left out, where mayfly.yaml says, then those
                          that come with mayfly
  --issuer URL            the source's issuer; base_url of mayfly.yaml and the source if left out
  --audience AUDIENCE     whom a token is asked for; may be repeated, for one token each
  --lifetime SECONDS      as the build would ask for it
  --claim NAME            an optional claim that the build asks for; may be repeated
  --subject-claim NAME    the subject that the build asks for
  --aws-session-tag NAME  a claim that the build asks for as an AWS session tag; may be repeated
  --json                  print JSON, for programs

Exit code 0 if a token would be issued for each audience, 4 if one would be refused.

Examples
  mayfly explain --event started.json --audience https://vault.example
  mayfly explain --event - --config /etc/mayfly/mayfly.yaml --json < started.json
`;

/** `mayfly explain`: why a build gets what it gets. */
export const explain: Command = {
  summary: 'explain what a build would get, and why',
  help: HELP,
  async run(args, surroundings) {
    // Only when it is wanted: it reads more than a runner's commands need.
    const { runExplain } = await import('./explain-run.ts');
    return await runExplain(args, surroundings, HELP);
  },
};
