import Type, { type Static } from 'typebox';
import { fact, flag, free, group, id, texts, whole, within } from './build-field.ts';
import { engine, git, NamedOrganization, parts, person, place, repository } from './build-parts.ts';

/**
 * One build of a CI system or one run of a workflow engine, in the words that all of them share. A field that a
 * system does not have is left out; null is never sent, and empty text counts as left out.
 */
export const Build = Type.Object(
  {
    id: Type.String({
      pattern: '^[A-Za-z0-9][A-Za-z0-9._~:@+=#/-]{0,127}$',
      description: 'The id of the build in its CI system; unique within the source, at most 128 characters.',
      examples: ['01926f3c-6f1e-7d3a-9a51-7c2f0e6a4b11'],
      'x-trust': 'trusted',
    }),
    number: whole('Number that people know the build by.', 42, 0),
    attempt: whole('Which try at this build; 1 if left out.', 1, 1, 65535),
    enterprise: within(
      group('Enterprise above the organization.', {
        id: id('enterprise', '2'),
        name: fact('Name of the enterprise.', 'avocado-corp', 256),
      }),
    ),
    organization: within(NamedOrganization),
    repository: within(group('Repository whose build this is.', repository)),
    source_repository: within(
      group('Repository that the code is from: the fork, for a build of a fork.', repository),
    ),
    fork: flag('Whether the code is from a fork.'),
    ...parts,
    ...engine,
    ...git,
    event: fact('What caused the build.', 'push', 128),
    action: fact('What happened in that event.', 'opened', 128),
    actor: within(group('Who caused the build.', person)),
    ...place,
    configuration: within(
      group('File that configures the build.', {
        ref: free(
          'The file, and the ref that it was read at.',
          'git.example.com/octo/hello//.ci.yml@refs/heads/main',
        ),
        sha: fact('Commit of that file.', '9fceb02d0ae598e95dc970b74767f19372d61af8', 128),
      }),
    ),
    url: fact('Where people see the build.', 'https://ci.example.com/builds/42'),
    started_at: fact('When the CI system started it, RFC 3339.', '2026-11-20T09:30:00Z', 40),
    timeout_seconds: whole('Longest time that the build may run; policy may allow less.', 3600, 1),
    labels: texts('Labels, free for every use but a claim of its own.', 'One label.', 'user-controlled', {
      team: 'payments',
    }),
    variables: texts('Variables that audiences may name.', 'One variable.', 'user-controlled', {
      CI_SERVER_HOST: 'git.example.com',
    }),
  },
  { additionalProperties: false, title: 'Build', description: 'A build, at most 64 KiB as JSON.' },
);
export type Build = Static<typeof Build>;
