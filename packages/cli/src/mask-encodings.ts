import { testRequestToken, testToken } from './testing.ts';

/** How a step may write a secret. */
export type Encode = (secret: Buffer) => Buffer;

const text = (encode: (secret: Buffer) => string): Encode => {
  return (secret) => Buffer.from(encode(secret));
};
const base64 = (bytes: Buffer) => Buffer.from(bytes.toString('base64'));
const base64url = (bytes: Buffer) => Buffer.from(bytes.toString('base64url'));
const wrap = (bytes: Buffer, columns: number, lineEnd: string) =>
  Buffer.from(
    (bytes.toString('latin1').match(new RegExp(`[^]{1,${columns}}`, 'g')) ?? []).join(lineEnd),
    'latin1',
  );
const behind = (size: number, secret: Buffer) =>
  Buffer.concat([Buffer.alloc(size, 0x5a), secret, Buffer.from('tail')]);

export const ENCODINGS: Record<string, Encode> = {
  'as it is': (secret) => secret,
  reversed: (secret) => Buffer.from(secret).reverse(),
  'in upper-case hex': text((secret) => secret.toString('hex').toUpperCase()),
  'in lower-case hex': text((secret) => secret.toString('hex')),
  'percent-encoded': text((secret) => encodeURIComponent(secret.toString())),
  'percent-encoded byte for byte': text((secret) => secret.toString('hex').replace(/../g, '%$&')),
  'with a word of it coloured, as grep does': (secret) =>
    Buffer.concat([
      secret.subarray(0, 3),
      Buffer.from('\x1b[01;31m\x1b[K'),
      secret.subarray(3, 6),
      Buffer.from('\x1b[m'),
      secret.subarray(6),
    ]),
  'as a form field': text((secret) => new URLSearchParams({ a: secret.toString() }).toString().slice(2)),
  'in JSON': text((secret) => JSON.stringify(secret.toString()).slice(1, -1)),
  'in JSON as Go and PHP write it': text((secret) =>
    JSON.stringify(secret.toString())
      .slice(1, -1)
      .replaceAll('/', '\\/')
      .replace(/[<>&]/g, (mark) => `\\u00${mark.charCodeAt(0).toString(16)}`),
  ),
  'in JSON, then base64': (secret) => base64(behind(5, Buffer.from(JSON.stringify(secret.toString())))),
  'base64, then hex': text((secret) => base64(secret).toString('hex')),
  'hex, then base64': (secret) => base64(Buffer.from(secret.toString('hex'))),
  'base64, then percent-encoded': text((secret) => encodeURIComponent(base64(secret).toString())),
};
for (const before of [0, 1, 2]) {
  ENCODINGS[`base64 behind ${before} bytes`] = (secret) => base64(behind(before, secret));
  ENCODINGS[`base64url behind ${before} bytes`] = (secret) => base64url(behind(before, secret));
  for (const outer of [0, 1, 2]) {
    const name = `base64 behind ${before}, again behind ${outer} bytes`;
    ENCODINGS[name] = (secret) => base64(behind(outer, base64(behind(before, secret))));
    ENCODINGS[`${name}, url`] = (secret) => base64url(behind(outer, base64url(behind(before, secret))));
    for (const shift of [0, 1, 2, 3, 4]) {
      ENCODINGS[`${name}, the inner one wrapped, line end at ${shift}`] = (secret) => {
        const first = 75 + shift - Math.ceil((before * 8) / 6);
        const inner = Buffer.concat([Buffer.alloc(first, 0x41), base64(behind(before, secret))]);
        return base64(behind(outer, wrap(inner, 76, '\n')));
      };
    }
  }
}

export const SECRETS: Record<string, string> = {
  'an ID token': testToken(),
  'a request token': testRequestToken(),
  'a password of eight characters': 'h&7"/<x\\',
  'a long password': 'q+ Zz/"ö\\n%41<&>=?p4ssw0rd-that-is-longer-than-most',
  'a private key': `-----BEGIN KEY-----\n${base64(Buffer.alloc(150, 'k3y!'))
    .toString()
    .match(/.{1,64}/g)
    ?.join('\n')}\n-----END KEY-----\n`,
};

export const LAYOUTS: Record<string, (encoded: Buffer) => Buffer> = {
  'in one line': (encoded) => encoded,
  'wrapped at 76 columns': (encoded) => wrap(encoded, 76, '\n'),
  'wrapped at 76 columns with CR LF': (encoded) => wrap(encoded, 76, '\r\n'),
  'wrapped at 11 columns': (encoded) => wrap(encoded, 11, '\n'),
};
