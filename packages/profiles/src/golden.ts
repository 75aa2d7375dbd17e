import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Build } from '@mayfly/contracts/build';
import { type Ask, idTokenClaims } from './claims.ts';
import { factsOf } from './facts.ts';
import type { Profile } from './profile.ts';
import { renderTemplate } from './template.ts';
import { admit } from './testing.ts';

/** Where a golden is from: the system's own code or documents, and a line of the reference of systems. */
type Sourced = { from: string; reference: string; build: Build };

/** A build, and the claims that its system would give it. */
export type TokenGolden = Sourced & { ask: Ask; claims: Record<string, unknown> };

/** A build that gets a token, and changes to it after which it gets none, each with what is said. */
export type RefusedGolden = Sourced & { ask: Ask; refused: readonly Change[] };
type Change = {
  without?: readonly string[];
  with?: Readonly<Record<string, unknown>>;
  ask?: Partial<Ask>;
  error: string;
};

/** What a runner finds of a system besides its tokens. */
export type RunnerGolden = Sourced & { runner: Record<string, unknown> };

/** All that is golden of one profile. */
export type Goldens = {
  tokens: ReadonlyMap<string, TokenGolden>;
  refused: RefusedGolden;
  runner: RunnerGolden;
};

const ROOT = fileURLToPath(new URL('../', import.meta.url));
const read = (file: string) => JSON.parse(readFileSync(`${ROOT}${file}`, 'utf8')) as unknown;

/** Gives the names of the profiles that have goldens. */
export function goldenNames(): string[] {
  return readdirSync(`${ROOT}golden`).sort();
}

/** Takes the name of a profile; gives its goldens. */
export function goldensOf(name: string): Goldens {
  const files = readdirSync(`${ROOT}golden/${name}`);
  return {
    tokens: new Map(
      files.map((file) => [file.replace('.json', ''), read(`golden/${name}/${file}`) as TokenGolden]),
    ),
    refused: read(`golden-refused/${name}.json`) as RefusedGolden,
    runner: read(`golden-runner/${name}.json`) as RunnerGolden,
  };
}

/** Takes a profile, a build and what is asked; gives the claims of its token, or what is said in place of one. */
export function given(profile: Profile, build: Build, ask: Ask): unknown {
  try {
    return idTokenClaims(profile, admit(build), ask);
  } catch (error) {
    return (error as Error).message;
  }
}

/** Takes a profile and a golden of refusals; gives what is said after each of its changes. */
export function refusals(profile: Profile, { build, ask, refused }: RefusedGolden): unknown[] {
  return refused.map((change) => given(profile, changed(build, change), { ...ask, ...change.ask }));
}

/** Takes a profile and a build; gives what a runner finds besides its tokens, as a golden has it. */
export function runnerOf(profile: Profile, build: Build): RunnerGolden['runner'] {
  const { audience, forkClaim, reply, sessionTags, subject, variables } = profile;
  const fallback = audience.default && renderTemplate(audience.default, factsOf(admit(build)));
  return {
    request_url: variables.requestUrl,
    request_token: variables.requestToken,
    token: variables.token,
    reply,
    subject_claims: subject.requestable,
    session_tags: sessionTags,
    several_audiences: audience.several,
    ...(fallback !== undefined && { default_audience: fallback }),
    ...(forkClaim !== undefined && { fork_claim: forkClaim }),
  };
}

function changed(build: Build, change: Change): Build {
  const copy = structuredClone(build);
  for (const path of change.without ?? []) place(copy, path, undefined);
  for (const [path, value] of Object.entries(change.with ?? {})) place(copy, path, value);
  return copy;
}

function place(root: Record<string, unknown>, path: string, value: unknown): void {
  const [first = '', ...rest] = path.split('.');
  if (rest.length > 0) place(root[first] as Record<string, unknown>, rest.join('.'), value);
  else if (value === undefined) delete root[first];
  else root[first] = value;
}
