import { readFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { text } from 'node:stream/consumers';
import { ServiceError } from '@mayfly/contracts/errors';
import type { BuildStarted } from '@mayfly/contracts/events';
import { ProfileError } from '@mayfly/profiles/compile';
import { profileFolder, readProfile } from '@mayfly/profiles/read';
import { type Deployment, deploymentOf, profileName } from '@mayfly/trust/deployment';
import { readEvent } from '@mayfly/trust/read-event';
import { type PolicyFile, readPolicyFile } from '@mayfly/trust/read-policy';
import type { Wish } from '@mayfly/trust/token-of';
import type { Surroundings } from './command.ts';
import { CommandError } from './exit-codes.ts';

/** Options by which `explain` and `trust` are told of a build, and of what it asks for. */
export const BUILD_OPTIONS = {
  help: { type: 'boolean', short: 'h' },
  json: { type: 'boolean' },
  event: { type: 'string' },
  config: { type: 'string' },
  profiles: { type: 'string' },
  issuer: { type: 'string' },
  audience: { type: 'string', multiple: true },
  lifetime: { type: 'string' },
  claim: { type: 'string', multiple: true },
  'subject-claim': { type: 'string' },
  'aws-session-tag': { type: 'string', multiple: true },
} as const;

/** What those options say, each undefined where it is left out. */
export type BuildValues = {
  event?: string | undefined;
  config?: string | undefined;
  profiles?: string | undefined;
  issuer?: string | undefined;
  audience?: string[] | undefined;
  lifetime?: string | undefined;
  claim?: string[] | undefined;
  'subject-claim'?: string | undefined;
  'aws-session-tag'?: string[] | undefined;
};

/** Reads the event, the policy and the profile that it names. */
export async function readBuild(
  values: BuildValues,
  surroundings: Surroundings,
): Promise<{ deployment: Deployment; event: BuildStarted }> {
  if (values.event === undefined)
    throw new CommandError(
      'usage',
      'no event: name the file with the event of the build with --event (- reads standard input)',
    );
  const event = readEvent(await readText(values.event, surroundings, 'the event'));
  return { deployment: await readDeployment(event.source, values, surroundings), event };
}

/** Reads the policy and the profile of one source. */
export async function readDeployment(
  source: string,
  values: BuildValues,
  surroundings: Surroundings,
): Promise<Deployment> {
  const from = await readPolicy(values.config, surroundings);
  const name = profileName(from, source);
  return deploymentOf(
    from,
    source,
    await readProfile(folderOf(name, from, values, surroundings), name),
    values.issuer,
  );
}

/** The folder that an option names; else where the issuer looks, which `profiles` of mayfly.yaml says first. */
function folderOf(
  name: string,
  { file, policy }: PolicyFile,
  { profiles }: BuildValues,
  { workDirectory }: Surroundings,
): string {
  if (profiles !== undefined) return resolve(workDirectory, profiles);
  const own = policy.profiles && resolve(workDirectory, dirname(file), policy.profiles);
  return profileFolder(own, name);
}

/** Reads mayfly.yaml. */
export async function readPolicy(file = 'mayfly.yaml', surroundings: Surroundings): Promise<PolicyFile> {
  return readPolicyFile(await readText(file, surroundings, 'the policy', '--config'), file);
}

/** Reads a file, or standard input for `-`. */
export async function readText(
  file: string,
  { stdin, workDirectory }: Surroundings,
  what: string,
  option = '--event',
): Promise<string> {
  if (file === '-') return await text(stdin);
  try {
    return await readFile(resolve(workDirectory, file), 'utf8');
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    throw new CommandError(
      'configuration',
      `${what} ${file} cannot be read (${code}): name it with ${option} FILE`,
      { cause },
    );
  }
}

/** Takes what the options say; gives what the build asks for. */
export function wishOf(values: BuildValues): Wish {
  const { audience, lifetime, claim } = values;
  const [only, ...more] = audience ?? [];
  return {
    ...(only !== undefined && { audience: more.length > 0 ? [only, ...more] : only }),
    ...(lifetime !== undefined && { lifetimeSeconds: secondsOf(lifetime) }),
    ...(claim && { optionalClaims: claim }),
    ...(values['subject-claim'] !== undefined && { subjectClaim: values['subject-claim'] }),
    ...(values['aws-session-tag'] && { awsSessionTags: values['aws-session-tag'] }),
  };
}

function secondsOf(text: string): number {
  if (/^[0-9]{1,9}$/.test(text)) return Number(text);
  throw new CommandError(
    'usage',
    `${text} is no number of seconds: write it in digits, such as --lifetime 300`,
  );
}

/** Runs `act`; what the project's own code refuses is told as a failure of the command. */
export async function told<T>(act: () => Promise<T>): Promise<T> {
  try {
    return await act();
  } catch (error) {
    if (error instanceof ProfileError)
      throw new CommandError(
        'configuration',
        `${error.faults.join('; ')}: correct the profile, or name the folder of profiles with --profiles`,
      );
    if (!(error instanceof ServiceError)) throw error;
    const isPolicy = error.code === 'access_denied' || error.code === 'invalid_target';
    throw new CommandError(isPolicy ? 'refused' : 'configuration', printable(error.message), {
      code: error.code,
    });
  }
}

/** Takes text of whoever; gives it in one line, without what would move a terminal's cursor or turn its text around. */
export function printable(text: string): string {
  return text.replace(
    /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu,
    (sign) => `\\u{${(sign.codePointAt(0) as number).toString(16)}}`,
  );
}
