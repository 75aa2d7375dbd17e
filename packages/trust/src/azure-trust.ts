import { defaultName, fittingName } from './fitting-names.ts';
import { hclName, hclString } from './hcl.ts';
import { requireHttps, requireRs256 } from './issuer-fit.ts';
import type { Kind } from './kind-of-build.ts';
import { shellCommand, shellWord } from './shell.ts';
import { requireLastingSubject, requireShortSubject } from './subject-fit.ts';
import type { TokenClaims } from './token-of.ts';
import type { Target, Trust, TrustNames } from './trust.ts';
import type { Verdict } from './verdict.ts';

/** Azure: a federated credential of an app or a managed identity. */
export const azure: Target = {
  summary: 'federated credential of an app or a managed identity: JSON, az, and Terraform',
  audience: { usual: 'api://AzureADTokenExchange', fits: /^api:\/\/AzureADTokenExchange/ },
  comparesSubjects: true,
  make: azureTrust,
};

const NAME = {
  says: 'name that Azure takes (3 to 120 letters, digits, - and _, a letter or digit in front)',
  fits: /^[A-Za-z0-9][A-Za-z0-9_-]{2,119}$/,
};

type Credential = { name: string; issuer: string; subject: string; description: string; audiences: string[] };

function azureTrust(kind: Kind, given: TrustNames): Trust {
  const { app = 'APP_ID' } = given;
  const name = fittingName('name', given.name ?? defaultName(kind.source, NAME), NAME);
  requireHttps(kind, 'Azure');
  requireRs256(kind, 'Azure');
  requireLastingSubject(kind, 'Azure');
  requireShortSubject(kind, 'Azure', 600, 'characters');
  const { issuer, subject, audience } = kind;
  const description = `Builds of ${kind.source}, by Mayfly`;
  const credential = { name, issuer, subject, description, audiences: [audience] };
  return {
    texts: [
      { title: 'credential.json', language: 'json', text: JSON.stringify(credential, undefined, 2) },
      { title: 'For an app, or for a managed identity', language: 'sh', text: commands(credential, app) },
      { title: 'The same in Terraform, for an app', language: 'hcl', text: terraform(credential) },
    ],
    held: [],
    loosen: () => undefined,
    widen: [],
    notes: [
      'Azure compares issuer, subject and audience whole and by case, 600 characters each: no pattern, and one credential a subject (20 an app or identity)',
      'Azure takes RS256 only; a new credential can take minutes until it works',
      'Azure verifies offline: its access token outlives the build, for about an hour',
    ],
    judge: (claims) => judgeAzure(credential, claims),
  };
}

/** Takes a federated credential and the claims of a token; says whether Azure exchanges it. */
export function judgeAzure(
  credential: Pick<Credential, 'issuer' | 'subject' | 'audiences'>,
  { iss, sub, aud }: TokenClaims,
): Verdict {
  const checks: [string, boolean][] = [
    ['issuer', iss === credential.issuer],
    ['subject', sub === credential.subject],
    ['audience', [aud].flat().some((one) => credential.audiences.includes(String(one)))],
  ];
  const failed = checks.find(([, holds]) => !holds);
  return failed
    ? { admitted: false, reasons: [`the ${failed[0]} is another`] }
    : { admitted: true, reasons: ['issuer, subject and audience are the same'] };
}

function commands({ name, issuer, subject, audiences }: Credential, app: string): string {
  return [
    `az ad app federated-credential create --id ${shellWord(app)} --parameters credential.json`,
    shellCommand([
      `az identity federated-credential create --name ${shellWord(name)}`,
      '--identity-name IDENTITY --resource-group GROUP',
      `--issuer ${shellWord(issuer)}`,
      `--subject ${shellWord(subject)}`,
      `--audiences ${audiences.map(shellWord).join(' ')}`,
    ]),
  ].join('\n');
}

function terraform({ name, issuer, subject, description, audiences }: Credential): string {
  return `resource "azuread_application_federated_identity_credential" "${hclName(name)}" {
  application_id = azuread_application.APP.id
  display_name   = ${hclString(name)}
  description    = ${hclString(description)}
  issuer         = ${hclString(issuer)}
  subject        = ${hclString(subject)}
  audiences      = [${audiences.map(hclString).join(', ')}]
}`;
}
