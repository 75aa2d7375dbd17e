import { ServiceError } from '@mayfly/contracts/errors';
import { fittingName } from './fitting-names.ts';
import { type Kind, perBuild } from './kind-of-build.ts';
import { changeOf, type PatternLanguage, subjectPattern } from './patterns.ts';
import { shellCommand, shellWord } from './shell.ts';
import { otherSubject, requireLastingPart } from './subject-fit.ts';
import type { Opening, Target, Trust, TrustNames, Widening } from './trust.ts';
import { entityClaim } from './vault-entity.ts';
import { evaluateVault } from './vault-evaluate.ts';
import { readVaultRole } from './vault-role.ts';

/** Vault: a role of the JWT login. */
export const vault: Target = {
  summary: 'role of the JWT login: JSON, and vault write',
  audience: { fits: /vault|openbao/i },
  make: vaultTrust,
};

/** Nothing escapes `*` in a glob: a value that holds one cannot be written, and stands for itself and more. */
const GLOB: PatternLanguage = { plain: (text) => text, any: '*' };
const MOUNT = { says: 'path of a login', fits: /^[^\s/]+(\/[^\s/]+)*$/ };
const POLICIES = { says: 'list of policies', fits: /[^\s,]/ };
const SESSION_SECONDS = 300;

function vaultTrust(
  kind: Kind,
  { role = 'ROLE', policies = 'POLICY', mount: given = 'jwt' }: TrustNames,
): Trust {
  const mount = fittingName('mount', given.replace(/^\/*(auth\/)?|\/+$/g, ''), MOUNT);
  requireLastingPart(kind);
  requireWritable(kind);
  fittingName('policies', policies, POLICIES);
  const config = { oidc_discovery_url: kind.issuer, bound_issuer: kind.issuer };
  const body = roleOf(kind, policies);
  const path = `auth/${mount}`;
  const isPattern = perBuild(kind).length > 0;
  return {
    texts: [
      {
        title: `role.json, for ${path}/role/${role}`,
        language: 'json',
        text: JSON.stringify(body, undefined, 2),
      },
      {
        title: 'The mount, once an issuer, and the role',
        language: 'sh',
        text: [
          `vault auth enable -path=${shellWord(mount)} jwt`,
          shellCommand([
            `vault write ${shellWord(`${path}/config`)}`,
            ...Object.entries(config).map(([key, value]) => `${key}=${shellWord(value)}`),
          ]),
          `vault write ${shellWord(`${path}/role/${role}`)} @role.json`,
        ].join('\n'),
      },
    ],
    held: kind.pins.map(({ claim }) => claim),
    loosen: (opening) => loosened(kind, opening),
    widen: [
      {
        change: perBuild(kind).length > 0 ? 'leave sub out of bound_claims' : 'leave bound_subject out',
        judge: judgeOf(kind, roleOf(kind, policies, { without: [], glob: '' })),
      },
    ],
    notes: [
      'Vault compares text with text only: a bound number or boolean never takes a claim that is text, nor the other way',
      'a role without bound_audiences refuses every token that has an audience, and all of ours have one',
      'a mount has one issuer: another source needs a mount of its own',
      ...(isPattern
        ? [
            `user_claim is ${entityClaim(kind)}: sub holds ${perBuild(kind).join(', ')}, and would make an entity of every build`,
          ]
        : []),
      `the Vault token outlives the build by at most ${SESSION_SECONDS} s, as token_explicit_max_ttl says; the runner should revoke it (auth/token/revoke-self)`,
    ],
    judge: judgeOf(kind, body),
  };
}

function judgeOf({ issuer }: Kind, role: object): Trust['judge'] {
  const read = { ...readVaultRole(role), boundIssuer: issuer };
  return (claims) => evaluateVault(read, claims);
}

function loosened(kind: Kind, opening: Opening): Widening | undefined {
  const { paths, without } = opening;
  const isOpen = paths.length > 0;
  const glob = isOpen ? subjectPattern(kind, GLOB, paths) : undefined;
  const body = roleOf(kind, '', { without, ...(glob && { glob }) });
  if (body['bound_claims_type'] === 'glob' && unwritable(kind, without) !== undefined) return undefined;
  const claims = JSON.stringify({ sub: glob }).slice(1, -1);
  const subject =
    glob &&
    (perBuild(kind).length > 0
      ? `${claims} in bound_claims`
      : `no bound_subject, "bound_claims_type": "glob" and ${claims} in bound_claims`);
  return {
    change: changeOf(subject, opening, (names) => `leave ${names} out of bound_claims`),
    judge: judgeOf(kind, body),
  };
}

/** What a glob of this kind would have to write and cannot. */
function unwritable({ subject, pins }: Kind, without: readonly string[] = []): string | undefined {
  const values = pins.flatMap(({ claim, value }) => (without.includes(claim) ? [] : [value]));
  return [subject, ...values].find((text) => text.includes('*'));
}

function requireWritable(kind: Kind): void {
  const odd = unwritable(kind);
  if (perBuild(kind).length === 0 || odd === undefined) return;
  throw new ServiceError(
    'invalid_request',
    `${odd} holds a *, which a glob of Vault's cannot: ${otherSubject(kind)}`,
  );
}

/** The role; with a glob, for the subjects that are of it, and with an empty one for all. */
function roleOf(
  kind: Kind,
  policies: string,
  { without, glob = perBuild(kind).length > 0 ? subjectPattern(kind, GLOB) : undefined }: Changed = {
    without: [],
  },
): Record<string, unknown> {
  const { audience, subject, pins, claims } = kind;
  const kept = pins.filter(({ claim }) => !without.includes(claim));
  const bound = Object.fromEntries(kept.map(({ claim }) => [claim, claims[claim]]));
  const boundClaims = glob ? { sub: glob, ...bound } : bound;
  return {
    role_type: 'jwt',
    user_claim: entityClaim(kind),
    bound_audiences: [audience],
    ...(glob === undefined && { bound_subject: subject }),
    ...(Object.keys(boundClaims).length > 0 && {
      bound_claims_type: glob ? 'glob' : 'string',
      bound_claims: boundClaims,
    }),
    token_policies: policies.split(/[\s,]+/).filter((one) => one !== ''),
    token_ttl: SESSION_SECONDS,
    token_explicit_max_ttl: SESSION_SECONDS,
  };
}

type Changed = { without: readonly string[]; glob?: string };
