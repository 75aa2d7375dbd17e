import { expect, test } from 'vitest';
import { fulcioCertificate } from './fulcio-evaluate.ts';
import { lackingExtensions, metadataOf } from './fulcio-metadata.ts';
import { BUILD, GOLDEN_BUILDS, made } from './testing.ts';

/** The certificate of a golden build, and what it lacks. */
async function certified(profile: string, wish: Parameters<typeof made>[1] = {}) {
  const [golden] = GOLDEN_BUILDS.filter((one) => one.profile === profile);
  const { kind, trust } = await made('sigstore', { profile, build: golden?.build ?? BUILD, ...wish });
  const metadata = metadataOf(kind);
  const { extensions } = fulcioCertificate(metadata, kind.claims);
  const note = trust.notes.find((one) => one.startsWith('lacks: '));
  return { extensions, lacking: lackingExtensions(kind), note };
}

const NO_SIGNER = (profile: string) =>
  `build-signer-uri (give the profile ${profile} a claim from configuration.ref)`;
const NO_RUNNER = (profile: string) =>
  `runner-environment (give the profile ${profile} a claim from runner.environment)`;

test.each<[string, Parameters<typeof made>[1], string[]]>([
  ['buildkite', { subjectClaim: 'pipeline_id' }, [NO_SIGNER('buildkite')]],
  ['concourse', {}, [NO_SIGNER('concourse'), NO_RUNNER('concourse')]],
  ['github', {}, []],
  ['gitlab', {}, []],
  ['n8n', {}, [NO_SIGNER('n8n'), NO_RUNNER('n8n')]],
  ['vela', {}, [NO_SIGNER('vela'), NO_RUNNER('vela')]],
])(
  'what the public Fulcio demands and a build of %s lacks is said, with what would fill it',
  async (profile, wish, expected) => {
    const { lacking, note } = await certified(profile, wish);

    expect(lacking).toEqual(expected);
    if (expected.length === 0) expect(note).toBeUndefined();
    else expect(note).toMatch(/^lacks: .*, which the public Fulcio demands$/);
  },
);

test('what the CI does not send is lacking too, though the profile has a claim for it', async () => {
  const whole = {
    ...BUILD,
    configuration: { ref: 'git.example.com/octo/hello/ci.yml@refs/heads/main' },
    runner: { environment: 'self-hosted' },
  };

  const { runner: _runner, ...sentLess } = BUILD;
  expect((await certified('mayfly', { build: sentLess })).lacking).toEqual([
    'build-signer-uri (have the CI send configuration.ref)',
    'runner-environment (have the CI send runner.environment)',
  ]);
  expect(await certified('mayfly', { build: whole })).toMatchObject({
    ...{ lacking: [], note: undefined },
    extensions: {
      'build-signer-uri': 'https://git.example.com/octo/hello/ci.yml@refs/heads/main',
      'runner-environment': 'self-hosted',
    },
  });
});

test.each([
  ['mayfly', BUILD, 'octo'],
  ['github', BUILD, 'octo'],
  ['gitlab', { ...BUILD, pipeline: { id: '1' } }, 'octo'],
  [
    'mayfly',
    { ...BUILD, repository: { id: '7', name: 'my.org/hello', owner: { id: '8', name: 'my.org' } } },
    'my.org',
  ],
] as const)(
  'the address of the owner is in a certificate of %s, and no name is taken for a host',
  async (profile, build, owner) => {
    const { extensions } = await certified(profile, { build });

    expect(extensions).toMatchObject({
      'source-repository-uri': `https://GIT.EXAMPLE.COM/${owner}/hello`,
      'source-repository-owner-uri': `https://GIT.EXAMPLE.COM/${owner}`,
    });
  },
);
