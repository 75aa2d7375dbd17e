import Type, { type Static } from 'typebox';
import { fact, flag, free, group, id, list, texts, whole, within } from './build-field.ts';

const Owner = group('Who owns it.', {
  id: id('owner', '123456'),
  name: fact('Name of the owner, with its parents.', 'octo', 512),
});

const repository = {
  id: id('repository', '456789'),
  name: Type.Unsafe<string>({ ...fact('Full name of the repository.', 'octo/hello', 512) }),
  short_name: fact('Name of the repository without its owner.', 'hello', 256),
  url: fact('Address of the repository.', 'https://git.example.com/octo/hello'),
  visibility: fact('Who may read it.', 'private', 32),
  owner: within(Owner),
  properties: texts('Properties that its administrators gave it.', 'One property.', 'trusted', {
    team: 'payments',
  }),
};

const person = {
  id: id('person', '583231'),
  login: fact('Name that the person logs in with.', 'octocat', 256),
  name: free('Name that the person chose to be called by.', 'Mona Lisa', 256),
  email: fact('Address of the person.', 'mona@example.com', 320),
  access_level: fact('What the person may do in the repository.', 'developer', 64),
  groups: list(
    'Groups that the person is a direct member of.',
    Type.String({
      ...{ maxLength: 512, description: 'Name of one group, with its parents.' },
      ...{ examples: ['octo/ops'], 'x-trust': 'trusted' },
    }),
    200,
    [['octo/ops']],
  ),
  identities: list(
    'Accounts of the same person elsewhere.',
    group('One account.', {
      provider: fact('Where the account is.', 'github', 128),
      extern_uid: fact('Id of the account there.', '2435223452345', 256),
    }),
    20,
    [[{ provider: 'github', extern_uid: '2435223452345' }]],
  ),
};

const Job = {
  id: id('job', '302'),
  name: free('Name of the job.', 'deploy'),
  source: fact('What put the job into its pipeline.', 'push', 128),
  check_run_id: id('check that shows the job', '29123456789'),
  workflow_ref: free(
    'Reusable workflow that the job is from.',
    'octo/ci/.github/workflows/oidc.yml@refs/heads/main',
  ),
  workflow_sha: fact('Commit of that workflow.', '8f3182061f1e2cca4702c368cbc039b7dc9d4485', 128),
  config_url: fact(
    'Address of the file that defines the job.',
    'https://git.example.com/octo/policy/policy.yml',
  ),
  config_sha: fact('Commit of that file.', 'ab035e64eca9a7a85bd62e485d3593f52a2804ac', 128),
};

const Scalar = Type.Union([Type.String({ maxLength: 1024 }), Type.Number(), Type.Boolean()]);
const VariableKey = Type.String({ pattern: '^[^\\u0000-\\u001f\\u007f]{1,128}$' });
const Shallow = Type.Union([
  Scalar,
  Type.Array(Scalar, { maxItems: 32 }),
  Type.Record(VariableKey, Scalar, { maxProperties: 32, additionalProperties: false }),
]);
const Deep = Type.Union([
  Scalar,
  Type.Array(Shallow, { maxItems: 32 }),
  Type.Record(VariableKey, Shallow, { maxProperties: 32, additionalProperties: false }),
]);
const InstanceVar = {
  ...Deep,
  description: 'One instance variable: text, a number, a flag, or a list or map of such.',
  examples: ['feature', 2],
  'x-trust': 'user-controlled',
};

const InstanceVars = Type.Record(VariableKey, InstanceVar, {
  maxProperties: 32,
  additionalProperties: false,
  description: 'What tells apart pipelines of one name (Concourse): JSON three levels deep, without null.',
  examples: [{ branch: 'feature', version: 2 }],
  'x-trust': 'user-controlled',
});

const place = {
  environment: within(
    group('Where the build deploys to.', {
      id: id('environment', '17'),
      name: free('Name of the environment.', 'production', 256),
      tier: fact('Kind of environment.', 'production', 64),
      protected: flag('Whether only some may deploy to it.'),
      action: free('What is done to it.', 'start', 64),
    }),
  ),
  runner: within(
    group('What runs the build.', {
      id: id('runner', '15'),
      name: fact('Name of the runner.', 'linux-7', 256),
      environment: fact('Whose machine it is: hosted by the CI system, or self-hosted.', 'self-hosted', 64),
    }),
  ),
  cluster: within(
    group('Cluster of agents.', { id: id('cluster'), name: fact('Name of the cluster.', 'default', 256) }),
  ),
  queue: within(group('Queue of agents.', { id: id('queue'), key: fact('Key of the queue.', 'linux', 256) })),
  agent: within(
    group('Agent that runs the job.', {
      id: id('agent'),
      name: fact('Name of the agent.', 'linux-7', 256),
      tags: texts('Tags of the agent.', 'One tag.', 'trusted', { queue: 'linux' }),
    }),
  ),
};

const engine = {
  workload: within(
    group('An agent or flow that runs in place of a job.', {
      id: id('workload', '9001'),
      name: fact('Name of the workload.', 'issue_to_mr', 256),
      user: within(group('Account that it runs as.', person)),
      on_behalf_of: within(group('Person whom it acts for.', person)),
    }),
  ),
  workflow: within(
    group('Workflow that runs.', {
      id: id('workflow', 'w6eOdKV1'),
      name: free('Name of the workflow.', 'nightly'),
      ref: free(
        'File of the workflow and ref that it was read at.',
        'octo/hello/.github/workflows/ci.yml@refs/heads/main',
      ),
      sha: fact('Commit of that file.', '9fceb02d0ae598e95dc970b74767f19372d61af8', 128),
    }),
  ),
  execution: within(
    group('One run of a workflow engine.', {
      id: id('execution', '231'),
      mode: fact('What the engine says started it.', 'trigger', 64),
      retry_of: id('execution that this one repeats', '230'),
    }),
  ),
  project: within(
    group('Project of a workflow.', {
      id: id('project'),
      name: free('Name of the project.', 'Billing', 256),
    }),
  ),
  owner: within(
    group('Who owns the workflow.', {
      id: id('owner'),
      name: free('Name of the owner.', 'Finance', 256),
      email: fact('Address of the owner.', 'finance@example.com', 320),
    }),
  ),
};

const git = {
  ref: free('Git ref that is built, whole.', 'refs/heads/main'),
  ref_type: fact('Branch or tag.', 'branch', 32),
  ref_protected: flag('Whether only some may push to the ref.'),
  branch: free('Branch that the CI system files the build under, if the ref does not say it.', 'main'),
  base_ref: free('Branch that a pull request is to go into.', 'main'),
  head_ref: free('Branch that a pull request comes from.', 'feature'),
  sha: fact('Commit that is built.', '9fceb02d0ae598e95dc970b74767f19372d61af8', 128),
};

const NamedOrganization = group('Team, group or company that the build belongs to.', {
  id: id('organization', '123456'),
  name: fact('Name of the organization.', 'octo', 512),
  url: fact('Address of the organization.', 'https://git.example.com/octo'),
});

const parts = {
  pipeline: within(
    group('Pipeline that the build is of.', {
      id: id('pipeline', '574'),
      name: free('Name of the pipeline.', 'release'),
      instance_vars: within(InstanceVars),
    }),
  ),
  job: within(group('Job that runs.', Job)),
  step: within(
    group('Step that asks for a token.', {
      id: id('step'),
      key: free('Key of the step.', 'build', 256),
      name: free('Name of the step.', 'publish', 256),
      image: free('Container image of the step.', 'registry.example.com:5000/alpine:3.22', 512),
      commands: flag(
        'Whether the step runs commands of its own, beside those of its image.',
        'user-controlled',
      ),
      request: free('What the step says it needs a token for.', 'write', 256),
    }),
  ),
  task: within(group('Task that runs.', { id: id('task'), name: free('Name of the task.', 'unit', 256) })),
};

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
