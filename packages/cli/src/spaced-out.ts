const IS_TOKEN_CHARACTER = Uint8Array.from({ length: 256 }, (_, byte) =>
  /[A-Za-z0-9_-]/.test(String.fromCharCode(byte)) ? 1 : 0,
);

/**
 * Says whether one of `secrets`, all of `[A-Za-z0-9_-]`, stands in `window` with anything between its characters that is
 * no token character.
 */
export function isSpacedOut(window: Uint8Array, secrets: readonly Buffer[]): boolean {
  const text = Buffer.allocUnsafe(window.length + 1);
  let length = 0;
  // Without a branch, which no processor could foresee in ordinary text.
  for (let at = 0; at < window.length; at += 1) {
    const byte = window[at] as number;
    text[length] = byte;
    length += IS_TOKEN_CHARACTER[byte] as number;
  }
  const joined = text.subarray(0, length);
  return secrets.some((secret) => joined.includes(secret));
}
