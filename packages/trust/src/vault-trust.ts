import { ServiceError } from '@mayfly/contracts/errors';
import { type Kind, perBuild } from './kind-of-build.ts';
import { type PatternLanguage, pinWidenings, subjectPattern, subjectWidenings } from './patterns.ts';
import { shellCommand, shellWord } from './shell.ts';
import { otherSubject, requireLastingPart } from './subject-fit.ts';
import type { Target, Trust, TrustNames } from './trust.ts';
import { evaluateVault, vaultGlob } from './vault-evaluate.ts';
import { readVaultRole } from './vault-role.ts';

/** Vault: a role of the JWT login. */
export const vault: Target = {
  summary: 'role of the JWT login: JSON, and vault write',
  audience: { fits: /vault|openbao/i },
  make: vaultTrust,
};

/** Nothing escapes `*` in a glob: a value that holds one cannot be written, and stands for itself and more. */
const GLOB: PatternLanguage = { plain: (text) => text, any: '*' };
const SESSION_SECONDS = 300;

function vaultTrust(kind: Kind, { role = 'ROLE', mount = 'jwt', policies = 'POLICY' }: TrustNames): Trust {
  requireLastingPart(kind);
  requireWritable(kind);
  const config = { oidc_discovery_url: kind.issuer, bound_issuer: kind.issuer };
  const body = roleOf(kind, policies);
  const path = `auth/${mount}`;
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
    widen: [
      ...subjectWidenings(
        kind,
        GLOB,
        (glob) => `no bound_subject, "bound_claims_type": "glob" and "bound_claims": {"sub": "${glob}"}`,
        vaultGlob,
      ),
      ...pinWidenings(kind, (claim) => `leave ${claim} out of bound_claims`),
      { change: 'leave bound_subject out', admits: 'every build of this source that bound_claims lets in' },
    ],
    notes: [
      'Vault compares text with text only: a bound number or boolean never takes a claim that is text, nor the other way',
      'a role without bound_audiences refuses every token that has an audience, and all of ours have one',
      'a mount has one issuer: another source needs a mount of its own',
      `the Vault token outlives the build by at most ${SESSION_SECONDS} s, as token_explicit_max_ttl says; the runner should revoke it (auth/token/revoke-self)`,
    ],
    judge: (claims) => evaluateVault({ ...readVaultRole(body), boundIssuer: config.bound_issuer }, claims),
  };
}

function requireWritable(kind: Kind): void {
  const odd = [kind.subject, ...kind.pins.map(({ value }) => value)].find((text) => text.includes('*'));
  if (perBuild(kind).length === 0 || odd === undefined) return;
  throw new ServiceError(
    'invalid_request',
    `${odd} holds a *, which a glob of Vault's cannot: ${otherSubject(kind)}`,
  );
}

function roleOf(kind: Kind, policies: string): Record<string, unknown> {
  const { audience, subject, pins, claims } = kind;
  const isPattern = perBuild(kind).length > 0;
  const bound = Object.fromEntries(pins.map(({ claim }) => [claim, claims[claim]]));
  const boundClaims = isPattern ? { sub: subjectPattern(kind, GLOB), ...bound } : bound;
  return {
    role_type: 'jwt',
    user_claim: 'sub',
    bound_audiences: [audience],
    ...(!isPattern && { bound_subject: subject }),
    ...(Object.keys(boundClaims).length > 0 && {
      bound_claims_type: isPattern ? 'glob' : 'string',
      bound_claims: boundClaims,
    }),
    token_policies: policies.split(','),
    token_ttl: SESSION_SECONDS,
    token_explicit_max_ttl: SESSION_SECONDS,
  };
}
