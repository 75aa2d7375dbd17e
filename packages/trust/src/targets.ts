import { aws } from './aws-trust.ts';
import { azure } from './azure-trust.ts';
import { sigstore } from './fulcio-trust.ts';
import { gcp } from './gcp-trust.ts';
import { octoSts } from './octo-trust.ts';
import type { Target } from './trust.ts';
import { vault } from './vault-trust.ts';

/** Every relying party that can be told whom to admit, by the name that `mayfly trust` has for it. */
export const TARGETS: Readonly<Record<string, Target>> = {
  aws,
  gcp,
  azure,
  vault,
  sigstore,
  'octo-sts': octoSts,
};
