import { ServiceError } from '@mayfly/contracts/errors';
import { stringify } from 'yaml';
import { requireHttps } from './issuer-fit.ts';
import { type Kind, perBuild } from './kind-of-build.ts';
import {
  evaluateOcto,
  type OctoFault,
  type OctoPolicy,
  octoFault,
  octoFaultText,
  octoLiteral,
} from './octo-policy.ts';
import { changeOf, type PatternLanguage, subjectPattern } from './patterns.ts';
import { otherSubject, requireLastingPart } from './subject-fit.ts';
import type { Opening, Target, Trust, TrustNames, Widening } from './trust.ts';

/** octo-sts: a trust policy in a repository on GitHub. */
export const octoSts: Target = {
  summary: 'trust policy of a repository on GitHub: YAML',
  audience: { usual: 'octo-sts.dev', fits: /octo-sts/ },
  make: octoTrust,
};

function octoTrust(kind: Kind, { name = kind.source }: TrustNames): Trust {
  const { issuer, subject, audience, pins } = kind;
  requireLastingPart(kind);
  requireHttps(kind, 'octo-sts');
  const fault = octoFault({ issuer, subject, audiences: [audience] });
  if (fault) throw new ServiceError('invalid_request', `${octoFaultText(fault)}: ${instead(fault, kind)}`);
  // A separator inside a value is escaped, so that what is left open cannot reach into the next part.
  const language: PatternLanguage = { plain: octoLiteral, any: `[^${kind.profile.subject.separator}]*` };
  const policy = policyOf(kind, language, { paths: [], without: [] });
  return {
    texts: [
      {
        title: `.github/chainguard/${name}.sts.yaml`,
        language: 'yaml',
        text: stringify(policy, { lineWidth: 0 }).trimEnd(),
      },
    ],
    held: pins.map(({ claim }) => claim),
    loosen: (opening) => loosened(kind, language, opening),
    widen: [],
    notes: [
      'octo-sts anchors every pattern at both ends; in a pattern `.` and other signs are wild unless a \\ stands before them',
      'permissions say what the GitHub token may do: contents: read is only a beginning',
      'the GitHub token lives an hour, also when the build has finished',
    ],
    judge: (claims) => evaluateOcto(policy, claims),
  };
}

function policyOf(kind: Kind, language: PatternLanguage, { paths, without }: Opening): OctoPolicy {
  const { issuer, subject, audience } = kind;
  const pins = kind.pins.filter(({ claim }) => !without.includes(claim));
  const isPattern = paths.length > 0 || perBuild(kind).length > 0;
  return {
    issuer,
    ...(isPattern ? { subject_pattern: subjectPattern(kind, language, paths) } : { subject }),
    audience,
    ...(pins.length > 0 && {
      claim_pattern: Object.fromEntries(pins.map(({ claim, value }) => [claim, octoLiteral(value)])),
    }),
    permissions: { contents: 'read' },
  };
}

function loosened(kind: Kind, language: PatternLanguage, opening: Opening): Widening {
  const policy = policyOf(kind, language, opening);
  const subject =
    opening.paths.length > 0 ? `subject_pattern: '${policy.subject_pattern}' in place of subject` : undefined;
  return {
    change: changeOf(subject, opening, (names) => `leave ${names} out of claim_pattern`),
    judge: (claims) => evaluateOcto(policy, claims),
  };
}

function instead({ given }: OctoFault, kind: Kind): string {
  if (given === kind.subject) return otherSubject(kind);
  if (given === kind.audience) return 'name another with --audience';
  return 'set base_url in mayfly.yaml, or give --issuer';
}
