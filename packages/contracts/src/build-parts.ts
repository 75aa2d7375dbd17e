import Type from 'typebox';
import { fact, flag, free, group, id, list, texts, within } from './build-field.ts';

const Owner = group('Who owns it.', {
  id: id('owner', '123456'),
  name: fact('Name of the owner, with its parents.', 'octo', 512),
});

/** A repository: of the build, and of the fork that its code is from. */
export const repository = {
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

/** Somebody: who caused the build, and for whom a workload acts. */
export const person = {
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

/** Where the build runs, and where it deploys to. */
export const place = {
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

/** What runs in place of a job: a workload, or a workflow of an engine. */
export const engine = {
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

/** What of the repository is built. */
export const git = {
  ref: free('Git ref that is built, whole.', 'refs/heads/main'),
  ref_type: fact('Branch or tag.', 'branch', 32),
  ref_protected: flag('Whether only some may push to the ref.'),
  branch: free('Branch that the CI system files the build under, if the ref does not say it.', 'main'),
  base_ref: free('Branch that a pull request is to go into.', 'main'),
  head_ref: free('Branch that a pull request comes from.', 'feature'),
  sha: fact('Commit that is built.', '9fceb02d0ae598e95dc970b74767f19372d61af8', 128),
};

/** Whom the build belongs to. */
export const NamedOrganization = group('Team, group or company that the build belongs to.', {
  id: id('organization', '123456'),
  name: fact('Name of the organization.', 'octo', 512),
  url: fact('Address of the organization.', 'https://git.example.com/octo'),
});

/** The parts of a CI system that the build is one run of. */
export const parts = {
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
