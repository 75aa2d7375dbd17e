import { createSecretKey, type KeyObject } from 'node:crypto';

/** Takes the contents of REQUEST_TOKEN_KEY_FILE; gives its keys, the one in use first. Throws a TypeError for anything else. */
export function readRequestTokenKeys(text: string): readonly KeyObject[] {
  const lines = text.split(/\s+/).filter((line) => line !== '');
  if (lines.length < 1 || lines.length > 2 || !lines.every((line) => /^[0-9a-f]{64}$/i.test(line))) {
    throw new TypeError(
      'settings: REQUEST_TOKEN_KEY_FILE must hold one or two lines of 64 hexadecimal digits',
    );
  }
  return lines.map((line) => createSecretKey(line, 'hex'));
}
