import type { Command } from './command.ts';

const HELP = `Show what a token says, and what is odd about it.

  mayfly token inspect [TOKEN|-] [OPTIONS]

The token is read from standard input (-, or nothing), from a file, or from the command line. Prefer the first two:
a token given as an argument is visible to every process of the machine, and stays in the shell's history.

Options
  --file FILE             a file with the token
  --issuer URL            the issuer that it should be of; its keys are fetched, and the signature verified
  --relying-party NAME    ask the issuer whether the token is active, as this relying party; needs --issuer, since
                          credentials are never sent to where a token says
  --secret-file FILE      a file with the relying party's secret
  --config FILE           mayfly.yaml, to say for which audiences the relying party is answered
  --timeout SECONDS       how long to wait for the issuer; 15 if left out
  --json                  print JSON, for programs

Exit code 0; 4 if no key of the issuer signed the token or the issuer says that it is not active, 5 if it cannot be
reached or cannot answer.

Examples
  mayfly token inspect < token.jwt
  mayfly token --audience https://vault.example | mayfly token inspect - --issuer https://id.example/ci
  mayfly token inspect --file token.jwt --issuer https://id.example/ci --relying-party api --secret-file api.secret
`;

const SEE_ALSO = '\nmayfly token inspect shows what a token says: see mayfly token inspect --help\n';

/** Takes `mayfly token`; gives it with `mayfly token inspect` as its subcommand. */
export function withInspect(token: Command): Command {
  return {
    ...token,
    summary: `${token.summary}; inspect: show one`,
    async run(args, surroundings) {
      const [first, ...rest] = args;
      if (first !== 'inspect') {
        const code = await token.run(args, surroundings);
        if (args.includes('--help') || args.includes('-h')) surroundings.stdout.write(SEE_ALSO);
        return code;
      }
      // Only when it is wanted: it reads more than a runner's commands need.
      const { runInspect } = await import('./token-inspect-run.ts');
      return await runInspect(rest, surroundings, HELP);
    },
  };
}
