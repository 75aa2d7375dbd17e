/** What asks over HTTP. */
export type Fetch = typeof globalThis.fetch;

/**
 * Reads a public document: never follows a redirect, never waits for long, never reads much. `isNewest` asks caches on the
 * way to ask the issuer (RFC 9111 §5.2.1.4); some do not listen.
 */
export type Get = (url: string, accept: string, isNewest?: boolean) => Promise<string>;

const TIMEOUT_MS = 3000;
const MAX_BYTES = 256 * 1024;

/** Takes what asks over HTTP; gives the reader. It throws where the answer is not 200. */
export function publicGetter(fetch: Fetch): Get {
  return async (url, accept, isNewest = false) => {
    const response = await fetch(url, {
      headers: { accept, ...(isNewest ? { 'cache-control': 'no-cache' } : {}) },
      redirect: 'manual',
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    if (response.status !== 200) {
      await response.body?.cancel();
      throw new Error(`the issuer answered ${response.status}`);
    }
    return await readBounded(response);
  };
}

async function readBounded(response: Response): Promise<string> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of response.body ?? []) {
    chunks.push(chunk);
    length += chunk.length;
    if (length > MAX_BYTES) throw new Error('the answer of the issuer is too long');
  }
  return Buffer.concat(chunks).toString();
}
