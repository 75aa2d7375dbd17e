import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Build } from '@mayfly/contracts/build';
import type { BuildStarted } from '@mayfly/contracts/events';
import type { Profile } from '@mayfly/profiles/profile';
import { PROFILES_DIR, readProfile } from '@mayfly/profiles/read';
import { type Deployment, deploymentOf } from './deployment.ts';
import { type MadeTrust, makeTrust } from './make-trust.ts';
import { readPolicyFile } from './read-policy.ts';
import { TARGETS } from './targets.ts';
import type { Wish } from './token-of.ts';
import type { Target, TrustNames } from './trust.ts';

/** When tests take place, s since 1970. */
export const NOW = 1_700_000_000;

/** A build of `octo/hello` on main. */
export const BUILD: Build = {
  ...{ id: 'b-42', number: 42, ref: 'refs/heads/main', sha: '9fceb02', event: 'push' },
  repository: {
    id: '456789',
    name: 'octo/hello',
    visibility: 'private',
    owner: { id: '123456', name: 'octo' },
  },
  actor: { id: '5', login: 'octocat' },
  workflow: { name: 'ci', ref: 'octo/hello/.github/workflows/ci.yml@refs/heads/main', sha: '9fceb02' },
  runner: { environment: 'self-hosted' },
};

/** Audiences by which the tests of a relying party go. */
export const AUDIENCES: Readonly<Record<string, string>> = {
  aws: 'sts.amazonaws.com',
  gcp: 'https://iam.googleapis.com/projects/7/locations/global/workloadIdentityPools/pool/providers/mayfly-ci',
  azure: 'api://AzureADTokenExchange',
  vault: 'https://vault.example.com',
  sigstore: 'sigstore',
  'octo-sts': 'octo-sts.dev',
};

/** Takes a build and what it declares; gives the event of its start. */
export function started(build: Build = BUILD, id_tokens?: BuildStarted['data']['id_tokens']): BuildStarted {
  return {
    ...{ specversion: '1.0', id: 'e-1', source: 'ci', type: 'dev.mayfly.ci.build.started' },
    time: '2026-11-20T09:30:00Z',
    data: { build, ...(id_tokens && { id_tokens }) },
  };
}

/** Takes the name of a profile and lines of its policy; gives a deployment with the source `ci`, of which all audiences are allowed. */
export async function deployment(
  profile = 'mayfly',
  lines: readonly string[] = ["audiences: ['*']"],
): Promise<Deployment> {
  const text = [
    'base_url: https://id.example.com',
    'sources:',
    '  ci:',
    `    profile: ${profile}`,
    ...lines.map((line) => `    ${line}`),
  ];
  return deploymentOf(readPolicyFile(text.join('\n'), 'mayfly.yaml'), 'ci', await profileNamed(profile));
}

const profiles = new Map<string, Promise<Profile>>();

/** Reads and compiles a profile once, however many builds are made of it. */
function profileNamed(name: string): Promise<Profile> {
  const read = profiles.get(name) ?? readProfile(PROFILES_DIR, name);
  profiles.set(name, read);
  return read;
}

/** Makes what one relying party needs for a build. */
export async function made(
  name: string,
  {
    build = BUILD,
    profile = 'mayfly',
    lines,
    ...wish
  }: { build?: Build; profile?: string; lines?: string[] } & Wish = {},
  names: TrustNames = {},
): Promise<MadeTrust> {
  const target = TARGETS[name] as Target;
  const asked = { audience: AUDIENCES[name] ?? '', ...wish };
  return makeTrust(target, await deployment(profile, lines), started(build), asked, names, NOW);
}

const GOLDEN = fileURLToPath(new URL('../../profiles/golden/', import.meta.url));

/** Every golden build: profile, file, build and the subject that it asks for. */
export const GOLDEN_BUILDS: readonly {
  profile: string;
  file: string;
  build: Build;
  subjectClaim?: string;
}[] = readdirSync(GOLDEN).flatMap((profile) =>
  readdirSync(`${GOLDEN}${profile}`).map((file) => {
    const { build, ask } = JSON.parse(readFileSync(`${GOLDEN}${profile}/${file}`, 'utf8')) as {
      build: Build;
      ask: { subjectClaim?: string };
    };
    return {
      profile,
      file,
      build,
      ...(ask.subjectClaim !== undefined && { subjectClaim: ask.subjectClaim }),
    };
  }),
);
