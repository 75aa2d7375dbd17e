import { CommandError } from './exit-codes.ts';

/** What Vault answered: its status and what it says beside the data. */
export type VaultAnswer = { status: number; body: Record<string, unknown> | undefined };

/** Takes an answer that is no success; gives what Vault itself says of it, in one line, without `secrets`. */
export function vaultText({ status, body }: VaultAnswer, secrets: readonly string[]): string {
  const said = ['errors', 'warnings'].flatMap((name) => {
    const lines = body?.[name];
    return Array.isArray(lines) ? lines.filter((line) => typeof line === 'string') : [];
  });
  let line = said.join('; ').replace(/[^\x20-\x7e]+/g, ' ');
  for (const secret of secrets) if (secret) line = line.replaceAll(secret, '***');
  line = line.replace(/[A-Za-z0-9_-]{40,}/g, '***').replace(/\s+/g, ' ');
  return line.trim().slice(0, 300) || `status ${status}`;
}

type Told = { origin: string; doing: string; answer: VaultAnswer; secrets: readonly string[] };

/** Gives the failure that a refusal of Vault is to the user, in Vault's own words. */
export function vaultRefusal({ origin, doing, answer, secrets }: Told): CommandError {
  const { status } = answer;
  const said = vaultText(answer, secrets);
  if (status >= 300 && status < 400)
    return new CommandError(
      'configuration',
      `Vault at ${origin} sends us elsewhere: name the address itself`,
    );
  if (isPassing(status))
    return new CommandError(
      'unreachable',
      `Vault at ${origin} cannot answer now (${said}): run this again later`,
    );
  return new CommandError('refused', `Vault at ${origin} refused ${doing} (${said})`);
}

/** Says whether an answer may be another one soon: Vault is sealed, on standby, behind or busy. */
export function isPassing(status: number): boolean {
  return status >= 500 || [412, 429, 472, 473].includes(status);
}
