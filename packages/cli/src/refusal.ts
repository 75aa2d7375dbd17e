import { CommandError } from './exit-codes.ts';

/** Takes what the issuer answered in the shape of RFC 6749 §5.2; gives the failure, and what to do about it. */
export function refusal(
  status: number,
  body: Record<string, unknown> | undefined,
  origin: string,
): CommandError {
  const code = typeof body?.['error'] === 'string' ? printable(body['error'], 64) : `status ${status}`;
  const told =
    typeof body?.['error_description'] === 'string' ? printable(body['error_description'], 500) : '';
  const said = `${code}${told && `: ${told}`}`;
  if (status >= 500 || status === 429) {
    return new CommandError(
      'unreachable',
      `the issuer at ${origin} cannot answer now (${said}): run this again later`,
      {
        code,
      },
    );
  }
  return new CommandError('refused', `the issuer at ${origin} refused (${said}): ${remedy(status, code)}`, {
    code,
  });
}

function remedy(status: number, code: string): string {
  if (code === 'invalid_target')
    return 'ask for an audience that mayfly.yaml allows this source, or have it allowed';
  if (code === 'access_denied')
    return 'a build that declares no id_tokens gets none; otherwise ask an operator';
  if (status === 401) return 'the build has finished, or this is not its request token; start a new build';
  if (status === 404 || status === 405 || status < 400) return 'check the address in the grant';
  return 'ask for what mayfly.yaml allows this source';
}

/** What a stranger sends is shown in one line, without control characters and without anything like a token. */
function printable(text: string, length: number): string {
  return text
    .replace(/[^\x20-\x7e]/g, ' ')
    .replace(/[A-Za-z0-9_-]{40,}/g, '***')
    .slice(0, length);
}
