import { ServiceError } from '@mayfly/contracts/errors';
import { defaultName, fittingName } from './fitting-names.ts';
import { type GcpProvider, judgeGcp } from './gcp-evaluate.ts';
import { hclName, hclString } from './hcl.ts';
import { requireHttps } from './issuer-fit.ts';
import type { Kind } from './kind-of-build.ts';
import { changeOf } from './patterns.ts';
import { shellCommand, shellWord } from './shell.ts';
import { requireLastingSubject, requireShortSubject } from './subject-fit.ts';
import type { Opening, Target, Trust, TrustNames, Widening } from './trust.ts';

/** Google Cloud: a provider of a workload identity pool, and the binding of a service account. */
export const gcp: Target = {
  summary: 'workload identity provider with its mapping and condition: gcloud, and Terraform',
  audience: { fits: /^(https:)?\/\/iam\.googleapis\.com\// },
  make: gcpTrust,
};

const ID = {
  says: 'name that Google Cloud takes (4 to 32 of a-z, 0-9 and -, and not gcp- in front)',
  fits: /^(?!gcp-)[a-z0-9-]{4,32}$/,
};
const MOST_ATTRIBUTES = 50;
const LONGEST_CONDITION = 4096;

type Names = { project: string; pool: string; provider: string; account: string };

function gcpTrust(kind: Kind, given: TrustNames): Trust {
  requireHttps(kind, 'Google Cloud');
  requireLastingSubject(kind, 'Google Cloud');
  requireShortSubject(kind, 'Google Cloud', 127, 'bytes');
  const names = namesOf(kind, given);
  const { project, pool } = names;
  const member = `principal://iam.googleapis.com/projects/${project}/locations/global/workloadIdentityPools/${pool}/subject/${kind.subject}`;
  const provider: GcpProvider = {
    issuer: kind.issuer,
    audiences: [kind.audience],
    mapping: mappingOf(kind),
    condition: conditionOf(kind),
  };
  if (provider.condition.length > LONGEST_CONDITION)
    throw new ServiceError(
      'invalid_request',
      `the condition has ${provider.condition.length} characters and Google Cloud takes ${LONGEST_CONDITION}: use a shorter subject`,
    );
  return {
    texts: [
      { title: 'Pool, provider and binding', language: 'sh', text: commands(provider, member, names) },
      { title: 'The same in Terraform', language: 'hcl', text: terraform(provider, member, names) },
    ],
    held: kind.pins.map(({ claim }) => claim),
    loosen: (opening) => loosened(kind, provider, member, opening),
    widen: [
      {
        change: `leave the condition out, and bind ${everyone(member)}`,
        judge: (claims) => judgeGcp({ ...provider, condition: 'true' }, everyone(member), claims),
      },
    ],
    notes: [
      `google.subject has at most 127 bytes; this one has ${Buffer.byteLength(kind.subject)}`,
      `a provider maps at most ${MOST_ATTRIBUTES} attributes; this one maps ${Object.keys(provider.mapping).length}`,
      'without an attribute condition every build of this source would be of the pool: the condition is what refuses',
      'changes of a pool take up to five minutes; Google verifies offline, and its access token outlives the build',
    ],
    judge: (claims) => judgeGcp(provider, member, claims),
  };
}

function namesOf({ audience, source }: Kind, given: TrustNames): Names {
  const match =
    /\/projects\/([^/]+)\/locations\/global\/workloadIdentityPools\/([^/]+)\/providers\/([^/]+)$/.exec(
      audience,
    );
  return {
    project: given.project ?? match?.[1] ?? 'PROJECT_NUMBER',
    pool: fittingName('pool', given.pool ?? match?.[2] ?? 'mayfly', ID),
    provider: fittingName('provider', given.provider ?? match?.[3] ?? defaultName(source, ID), ID),
    account: given.account ?? 'SERVICE_ACCOUNT@PROJECT_ID.iam.gserviceaccount.com',
  };
}

function mappingOf({ pins }: Kind): Record<string, string> {
  const attributes = pins
    .filter(({ claim }) => /^[a-z0-9_]{1,100}$/.test(claim))
    .slice(0, MOST_ATTRIBUTES)
    .map(({ claim }) => [`attribute.${claim}`, assertion(claim)]);
  return { 'google.subject': 'assertion.sub', ...Object.fromEntries(attributes) };
}

function conditionOf(
  { subject, pins, claims }: Kind,
  without: readonly string[] = [],
  begin?: string,
): string {
  const literal = (claim: string, value: string) =>
    typeof claims[claim] === 'string' ? celString(value) : value;
  const terms = pins
    .filter(({ claim }) => !without.includes(claim))
    .map(({ claim, value }) => `${assertion(claim)} == ${literal(claim, value)}`);
  return [begin === undefined ? `assertion.sub == ${celString(subject)}` : startsWith(begin), ...terms].join(
    ' && ',
  );
}

function startsWith(begin: string): string {
  return `assertion.sub.startsWith(${celString(begin)})`;
}

function assertion(claim: string): string {
  return /^[A-Za-z_][A-Za-z0-9_]*$/.test(claim) ? `assertion.${claim}` : `assertion[${celString(claim)}]`;
}

function celString(text: string): string {
  return `"${text.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`;
}

/** Whom a pool's provider lets in, all of them: as many as its condition does. */
function everyone(member: string): string {
  return member.replace(/^principal:/, 'principalSet:').replace(/\/subject\/[\s\S]*$/, '/*');
}

/** Only what comes last in a subject can be left open by its beginning alone. */
function loosened(kind: Kind, provider: GcpProvider, member: string, opening: Opening): Widening | undefined {
  const { paths, without } = opening;
  const [path, ...more] = paths;
  const [last, ...before] = kind.parts.toReversed();
  const begin = before
    .toReversed()
    .map(({ text }) => text)
    .join('');
  if (more.length > 0 || (path !== undefined && (last?.path !== path || begin === ''))) return undefined;
  const bound = path === undefined ? member : everyone(member);
  const condition = conditionOf(kind, without, path === undefined ? undefined : begin);
  const subject =
    path && `${startsWith(begin)} in the condition, and bind ${bound} in place of the one subject`;
  return {
    change: changeOf(subject, opening, (names) => `leave ${names} out of the condition`),
    judge: (claims) => judgeGcp({ ...provider, condition }, bound, claims),
  };
}

function commands(
  { issuer, audiences, mapping, condition }: GcpProvider,
  member: string,
  names: Names,
): string {
  const { project, pool, provider, account } = names;
  const where = `--project ${shellWord(project)} --location global`;
  const mapped = Object.entries(mapping).map(([key, value]) => `${key}=${value}`);
  return [
    `gcloud iam workload-identity-pools create ${shellWord(pool)} ${where}`,
    shellCommand([
      `gcloud iam workload-identity-pools providers create-oidc ${shellWord(provider)} ${where}`,
      `--workload-identity-pool ${shellWord(pool)}`,
      `--issuer-uri ${shellWord(issuer)}`,
      `--allowed-audiences ${shellWord(audiences.join(','))}`,
      `--attribute-mapping ${shellWord(mapped.join(','))}`,
      `--attribute-condition ${shellWord(condition)}`,
    ]),
    shellCommand([
      `gcloud iam service-accounts add-iam-policy-binding ${shellWord(account)}`,
      '--role roles/iam.workloadIdentityUser',
      `--member ${shellWord(member)}`,
    ]),
  ].join('\n');
}

function terraform(
  { issuer, audiences, mapping, condition }: GcpProvider,
  member: string,
  names: Names,
): string {
  const name = hclName(names.provider);
  const mapped = Object.entries(mapping).map(([key, value]) => `    ${hclString(key)} = ${hclString(value)}`);
  return `resource "google_iam_workload_identity_pool" "${name}" {
  workload_identity_pool_id = ${hclString(names.pool)}
}

resource "google_iam_workload_identity_pool_provider" "${name}" {
  workload_identity_pool_id          = google_iam_workload_identity_pool.${name}.workload_identity_pool_id
  workload_identity_pool_provider_id = ${hclString(names.provider)}
  attribute_condition                = ${hclString(condition)}
  attribute_mapping = {
${mapped.join('\n')}
  }
  oidc {
    issuer_uri        = ${hclString(issuer)}
    allowed_audiences = [${audiences.map(hclString).join(', ')}]
  }
}

resource "google_service_account_iam_member" "${name}" {
  service_account_id = ${hclString(`projects/-/serviceAccounts/${names.account}`)}
  role               = "roles/iam.workloadIdentityUser"
  member             = ${hclString(member)}
}`;
}
