import { ServiceError } from '@mayfly/contracts/errors';
import { checkPolicy, type Policy } from '@mayfly/contracts/policy';
import { type Place, readYaml } from '@mayfly/profiles/yaml';

/** `mayfly.yaml`, read: what it says, and on which line each of its places is. */
export type PolicyFile = { file: string; policy: Policy; lineOf(at: Place): number };

/**
 * Takes the text of `mayfly.yaml` and its name; gives the policy with its lines. Throws a ServiceError
 * (`invalid_request`) that names every fault with its line.
 */
export function readPolicyFile(text: string, file: string): PolicyFile {
  const { value, faults, lineOf } = readYaml(text);
  // Text that is no YAML is lost from its first fault on: what follows says no more.
  const found = faults.slice(0, 1).map(({ line, reason }) => `${file}:${line}: ${reason}`);
  if (found.length === 0)
    for (const { at, message } of checkPolicy.faults(value)) {
      const place = placeOf(at);
      found.push(`${file}:${lineOf(place)}: ${place.join('.') || 'the file'} ${message}`);
    }
  if (found.length > 0 || !checkPolicy.is(value))
    throw new ServiceError('invalid_request', `${found.join('; ')}: correct it, then run this again`);
  return { file, policy: value, lineOf };
}

/** Takes a JSON pointer; gives the names on the way. */
export function placeOf(pointer: string): string[] {
  return pointer
    .split('/')
    .slice(1)
    .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'));
}
