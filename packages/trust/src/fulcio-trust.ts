import { ServiceError } from '@mayfly/contracts/errors';
import { stringify } from 'yaml';
import { fulcioCertificate, judgeFulcio } from './fulcio-evaluate.ts';
import { lackingExtensions, metadataOf } from './fulcio-metadata.ts';
import { requireHttps } from './issuer-fit.ts';
import type { Kind } from './kind-of-build.ts';
import { octoLiteral } from './octo-policy.ts';
import { changeOf, subjectPattern } from './patterns.ts';
import { shellCommand, shellWord } from './shell.ts';
import { otherSubject, requireLastingSubject } from './subject-fit.ts';
import type { Opening, Target, Trust, TrustNames, Widening } from './trust.ts';

/** Sigstore: a Fulcio of one's own, and how what it certifies is verified. */
export const sigstore: Target = {
  summary: "configuration of one's own Fulcio (ci-provider), and cosign verify",
  audience: { usual: 'sigstore', fits: /^sigstore$/ },
  make: fulcioTrust,
};

const PLAIN = /^[A-Za-z0-9._~@:/-]*$/;

function fulcioTrust(kind: Kind, { name = kind.source }: TrustNames): Trust {
  requireHttps(kind, 'Fulcio');
  requireLastingSubject(kind, 'a verifier');
  requirePlain(kind);
  const provider = `mayfly-${name}`;
  const metadata = metadataOf(kind);
  const lacking = lackingExtensions(kind);
  const config = {
    'oidc-issuers': {
      [kind.issuer]: {
        'issuer-url': kind.issuer,
        'client-id': kind.audience,
        type: 'ci-provider',
        'ci-provider': provider,
        contact: 'CONTACT@EXAMPLE.COM',
        description: `Builds of ${kind.source}, by Mayfly`,
      },
    },
    'ci-issuer-metadata': { [provider]: metadata },
  };
  const { identity } = fulcioCertificate(metadata, kind.claims);
  const wanted = { issuer: kind.issuer, identity, audience: kind.audience };
  const verify = [
    'cosign verify',
    `--certificate-oidc-issuer ${shellWord(kind.issuer)}`,
    `--certificate-identity ${shellWord(identity)}`,
    'IMAGE',
  ];
  return {
    texts: [
      {
        title: "Fulcio's configuration",
        language: 'yaml',
        text: stringify(config, { lineWidth: 0 }).trimEnd(),
      },
      { title: 'What a verifier asks for', language: 'sh', text: shellCommand(verify) },
    ],
    held: kind.pins.map(({ claim }) => claim),
    loosen: (opening) => loosened(kind, opening),
    widen: [],
    notes: [
      'Fulcio certifies every build of this source; it is the verifier who refuses, by identity and issuer',
      'a claim that is missing or null makes Fulcio refuse; default-template-values stand in for those that can be',
      ...(lacking.length > 0 ? [`lacks: ${lacking.join('; ')}, which the public Fulcio demands`] : []),
      'the public Fulcio takes an issuer only by a pull request (docs/new-idp-requirements.md)',
      'a certificate says that the build ran when it signed; what it signed stays signed',
    ],
    judge: (claims) => judgeFulcio(metadata, wanted, claims),
  };
}

/** A verifier can leave a part of the identity open, and Fulcio a claim out of it. */
function loosened(kind: Kind, opening: Opening): Widening {
  const { paths, without } = opening;
  const isOpen = paths.length > 0;
  const metadata = metadataOf(kind, without);
  const { identity } = fulcioCertificate(metadata, kind.claims);
  const begin = `${kind.issuer}/`;
  const end = identity.slice(begin.length + kind.subject.length);
  const language = { plain: octoLiteral, any: `[^${kind.profile.subject.separator}]*` };
  const pattern = `^${octoLiteral(begin)}${subjectPattern(kind, language, paths)}${octoLiteral(end)}$`;
  const wanted = {
    issuer: kind.issuer,
    audience: kind.audience,
    identity: isOpen ? new RegExp(pattern) : identity,
  };
  const subject = isOpen
    ? `--certificate-identity-regexp ${shellWord(pattern)} in place of --certificate-identity`
    : undefined;
  return {
    change: changeOf(subject, opening, (names) => `leave ${names} out of subject-alternative-name-template`),
    judge: (claims) => judgeFulcio(metadata, wanted, claims),
  };
}

/** Older Fulcios escape values as HTML, and a URI is written anew: only what survives both can be compared. */
function requirePlain(kind: Kind): void {
  const odd = [kind.subject, ...kind.pins.map(({ value }) => value)].find(
    (text) => !PLAIN.test(text.replaceAll('%', '')),
  );
  if (odd === undefined) return;
  throw new ServiceError(
    'invalid_request',
    `${odd} has signs that a certificate's identity would hold in another form: ${otherSubject(kind)}`,
  );
}
