import type { Build } from '@mayfly/contracts/build';

/**
 * Says whether the code of a build is from a fork: the CI says so, or names a source repository that is not
 * provably the build's own.
 */
export function isFork(build: Build): boolean {
  const { repository, source_repository: from } = build;
  if (build.fork === true) return true;
  if (!from) return false;
  if (!repository) return true;
  if (from.id && repository.id) return from.id !== repository.id;
  return !from.name || from.name !== repository.name;
}
