import type { Build } from '@mayfly/contracts/build';
import type { AdmittedBuild } from '@mayfly/contracts/events';

/** Takes a build; gives it as `build-lifecycle` would admit it, running until far beyond every test. */
export function admit(build: Build, rest: Partial<AdmittedBuild> = {}): AdmittedBuild {
  return {
    source: 'ci',
    build,
    attempt: build.attempt ?? 1,
    seq: 1,
    digest: 'digest',
    started_at: 1_700_000_000_000,
    deadline: 1_700_021_600_000,
    ...rest,
  };
}
