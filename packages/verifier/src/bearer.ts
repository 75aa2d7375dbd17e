import type { IdToken } from './claims.ts';
import type { Verifier } from './index.ts';
import { refuse, VerificationError } from './verification-error.ts';

/** What a request was worth: the token that it showed, or the answer that it gets instead. */
export type Admission =
  | { idToken: IdToken }
  | {
      status: 401 | 503;
      headers: Record<string, string>;
      body: { error: string; error_description: string };
    };

/** Takes the headers of a request, name and value in turn; says whether its one bearer token (RFC 6750 §2.1) is good. */
export async function admit(rawHeaders: readonly string[], verifier: Verifier): Promise<Admission> {
  try {
    const shown = rawHeaders.filter(
      (_, at) => at % 2 === 1 && rawHeaders[at - 1]?.toLowerCase() === 'authorization',
    );
    const token = shown.length === 1 ? /^bearer +(\S+)$/i.exec(shown[0] ?? '')?.[1] : undefined;
    if (token === undefined) throw refuse('malformed');
    return { idToken: await verifier.verify(token) };
  } catch (error) {
    if (!(error instanceof VerificationError)) throw error;
    return answerTo(error);
  }
}

function answerTo({ code, message }: VerificationError): Admission {
  if (code === 'cannot_know') {
    const body = { error: 'temporarily_unavailable', error_description: message };
    return { status: 503, headers: { 'retry-after': '1' }, body };
  }
  const body = { error: 'invalid_token', error_description: message };
  return { status: 401, headers: { 'www-authenticate': 'Bearer error="invalid_token"' }, body };
}
