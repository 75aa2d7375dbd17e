import { ServiceError } from '@mayfly/contracts/errors';
import { TAGS_CLAIM } from '@mayfly/profiles/standard-claims';
import { evaluateAws } from './aws-evaluate.ts';
import { readAwsPolicy } from './aws-policy.ts';
import { awsLiteral } from './aws-text.ts';
import { fittingName } from './fitting-names.ts';
import { hclHeredoc, hclName, hclString } from './hcl.ts';
import { type Kind, perBuild } from './kind-of-build.ts';
import { changeOf, type PatternLanguage, subjectPattern } from './patterns.ts';
import { shellCommand, shellWord } from './shell.ts';
import { requireLastingPart } from './subject-fit.ts';
import type { Opening, Target, Trust, TrustNames, Widening } from './trust.ts';

/** AWS: the trust policy of an IAM role that STS gives for the token. */
export const aws: Target = {
  summary: 'trust policy of an IAM role: JSON, and Terraform',
  audience: { usual: 'sts.amazonaws.com', fits: /^sts\.amazonaws\.com(\.cn)?$/ },
  make: awsTrust,
};

const LIKE: PatternLanguage = { plain: (text) => awsLiteral(text, true), any: '*' };
const VERSION = '2012-10-17';
const USUAL_QUOTA = 2048;

const ACCOUNT = { says: 'account of AWS (12 digits)', fits: /^[0-9]{12}$/ };
const PARTITION = { says: 'partition of AWS (aws, aws-cn or aws-us-gov)', fits: /^aws(-cn|-us-gov)?$/ };
const ROLE = { says: 'role of AWS (64 letters, digits and _+=,.@-)', fits: /^[A-Za-z0-9_+=,.@-]{1,64}$/ };

function awsTrust(kind: Kind, given: TrustNames): Trust {
  const account = fittingName('account', given.account ?? '111122223333', ACCOUNT);
  const partition = fittingName('partition', given.partition ?? partitionOf(kind), PARTITION);
  const role = fittingName('role', given.role ?? 'ROLE', ROLE);
  requireTakenIssuer(kind);
  requireLastingPart(kind);
  const provider = kind.issuer.slice('https://'.length);
  const arn = `arn:${partition}:iam::${account}:oidc-provider/${provider}`;
  const policy = policyOf(kind, provider, arn);
  const json = JSON.stringify(policy, undefined, 2);
  return {
    texts: [
      { title: 'trust-policy.json, the trust policy of the role', language: 'json', text: json },
      { title: 'The provider, once an account, and the role', language: 'sh', text: commands(kind, role) },
      { title: 'The same in Terraform', language: 'hcl', text: terraform(kind, json, role) },
    ],
    held: heldTags(kind).map(([name]) => name),
    loosen: (opening) => loosened(kind, provider, arn, opening),
    widen: [
      {
        change: `leave out "${provider}:sub"`,
        judge: judgeOf(policyOf(kind, provider, arn, { isFor: 'every subject' })),
      },
      {
        change: `leave out "${provider}:aud"`,
        judge: judgeOf(policyOf(kind, provider, arn, { isFor: 'every audience' })),
      },
    ],
    notes: notesOf(kind, json),
    judge: judgeOf(policy),
  };
}

/** The regions in China have an audience of their own; GovCloud has that of everybody. */
function partitionOf({ audience }: Kind): string {
  return audience === 'sts.amazonaws.com.cn' ? 'aws-cn' : 'aws';
}

function judgeOf(policy: object): Trust['judge'] {
  const read = readAwsPolicy(policy);
  return (claims) => evaluateAws(read, claims);
}

function loosened(kind: Kind, provider: string, arn: string, opening: Opening): Widening {
  const { paths, without } = opening;
  const isOpen = paths.length > 0;
  const pattern = subjectPattern(kind, LIKE, paths);
  const subject = isOpen
    ? `StringLike "${provider}:sub": ${JSON.stringify(pattern)} in place of the condition on sub`
    : undefined;
  return {
    change: changeOf(subject, opening, (names) => `leave out the conditions on aws:RequestTag of ${names}`),
    judge: judgeOf(policyOf(kind, provider, arn, { ...(isOpen && { pattern }), without })),
  };
}

/** What a policy says otherwise than for exactly the kind. */
type Otherwise = {
  pattern?: string;
  without?: readonly string[];
  isFor?: 'every subject' | 'every audience';
};

function policyOf(
  kind: Kind,
  provider: string,
  arn: string,
  { pattern, without = [], isFor }: Otherwise = {},
) {
  const like = pattern ?? (perBuild(kind).length > 0 ? subjectPattern(kind, LIKE) : undefined);
  const equal = {
    ...(isFor !== 'every audience' && { [`${provider}:aud`]: awsLiteral(kind.audience, false) }),
    ...(like === undefined &&
      isFor !== 'every subject' && { [`${provider}:sub`]: awsLiteral(kind.subject, false) }),
    ...Object.fromEntries(
      heldTags(kind)
        .filter(([name]) => !without.includes(name))
        .map(([name, value]) => [`aws:RequestTag/${name}`, awsLiteral(value, false)]),
    ),
  };
  return {
    Version: VERSION,
    Statement: [
      {
        Effect: 'Allow',
        Principal: { Federated: arn },
        Action:
          tagsOf(kind).length > 0
            ? ['sts:AssumeRoleWithWebIdentity', 'sts:TagSession']
            : 'sts:AssumeRoleWithWebIdentity',
        Condition: {
          StringEquals: equal,
          ...(like !== undefined &&
            isFor !== 'every subject' && { StringLike: { [`${provider}:sub`]: like } }),
        },
      },
    ],
  };
}

function tagsOf({ claims }: Kind): [string, string][] {
  const { principal_tags: tags = {} } = (claims[TAGS_CLAIM] ?? {}) as {
    principal_tags?: Record<string, [string]>;
  };
  return Object.entries(tags).map(([name, [value]]) => [name, value]);
}

/** The tags that a policy can hold fast: with one that no two builds share it would admit none but this. */
function heldTags(kind: Kind): [string, string][] {
  return tagsOf(kind).filter(([name]) => !kind.isPerBuild(name));
}

function requireTakenIssuer({ issuer, audience }: Kind): void {
  const { protocol, port, hostname } = new URL(issuer);
  if (protocol !== 'https:' || port !== '' || hostname === 'localhost')
    throw new ServiceError(
      'invalid_request',
      `AWS takes issuers at https on its own port, reachable from the internet, and not ${issuer}: set base_url in mayfly.yaml, or give --issuer`,
    );
  if (audience.length > 255)
    throw new ServiceError('invalid_request', 'AWS takes audiences of 255 characters: ask for a shorter one');
}

function notesOf(kind: Kind, json: string): string[] {
  const { pins, profile } = kind;
  const size = json.replace(/\s/g, '').length;
  const claims = pins.map(({ claim }) => claim).join(', ');
  const passed = tagsOf(kind).flatMap(([name]) => (kind.isPerBuild(name) ? [name] : []));
  return [
    'for an issuer of your own AWS knows sub, aud, amr and, with azp, oaud: a condition on another claim is never met',
    ...(pins.length > 0 && heldTags(kind).length === 0
      ? [
          `AWS does not see ${claims}${profile.sessionTags ? ': add --aws-session-tag NAME for each that must hold, and have the build ask for them' : ', and this profile has no session tags'}`,
        ]
      : []),
    ...(passed.length > 0
      ? [
          `no two builds share ${passed.join(', ')}: the session has them as tags, and the policy asks for none`,
        ]
      : []),
    'AWS takes at most 50 session tags, keys of 128 characters, values of 256, all of letters, digits, spaces and _.:/=+-@',
    ...(size > USUAL_QUOTA
      ? [`the policy has ${size} characters; the usual quota is ${USUAL_QUOTA}: have it raised`]
      : []),
    'AWS verifies offline: its session outlives the build, for as long as the role allows (900 s at least)',
  ];
}

function commands({ issuer, audience }: Kind, role: string): string {
  return [
    shellCommand([
      'aws iam create-open-id-connect-provider',
      `--url ${shellWord(issuer)}`,
      `--client-id-list ${shellWord(audience)}`,
    ]),
    shellCommand([
      'aws iam create-role',
      `--role-name ${shellWord(role)}`,
      '--max-session-duration 3600',
      '--assume-role-policy-document file://trust-policy.json',
    ]),
  ].join('\n');
}

function terraform({ source, issuer, audience }: Kind, json: string, role: string): string {
  const name = hclName(source);
  return `resource "aws_iam_openid_connect_provider" "${name}" {
  url            = ${hclString(issuer)}
  client_id_list = [${hclString(audience)}]
}

resource "aws_iam_role" "${hclName(role)}" {
  name                 = ${hclString(role)}
  max_session_duration = 3600
  assume_role_policy   = ${hclHeredoc(json, '  ')}
}`;
}
