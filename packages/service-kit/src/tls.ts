import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';

/** A listener's certificate chain and its private key, PEM; without them it speaks http. */
export type Tls = { cert?: string; key?: string };

type Settings = { TLS_CERT_FILE?: string | undefined; TLS_KEY_FILE?: string | undefined };

/**
 * Takes the settings of a listener; gives its certificate and key, nothing where none are set. Throws a TypeError that
 * names every fault: one without the other, files that cannot be read or hold something else, two that do not fit.
 */
export function readTls({ TLS_CERT_FILE, TLS_KEY_FILE }: Settings): Tls {
  if (TLS_CERT_FILE === undefined && TLS_KEY_FILE === undefined) return {};
  const faults: string[] = [];
  if (TLS_CERT_FILE === undefined || TLS_KEY_FILE === undefined)
    faults.push('TLS_CERT_FILE and TLS_KEY_FILE go together');
  const read = <T>(name: string, file: string | undefined, what: string, parse: (pem: string) => T) => {
    if (file === undefined) return undefined;
    try {
      const pem = readFileSync(file, 'utf8');
      return { pem, parsed: parse(pem) };
    } catch (error) {
      const { syscall, code } = error as NodeJS.ErrnoException;
      faults.push(syscall ? `${name} cannot be read (${code})` : `${name} holds no ${what}`);
      return undefined;
    }
  };
  const cert = read('TLS_CERT_FILE', TLS_CERT_FILE, 'PEM certificate', (pem) => new X509Certificate(pem));
  const key = read(
    'TLS_KEY_FILE',
    TLS_KEY_FILE,
    'PEM private key',
    (pem): KeyObject => createPrivateKey(pem),
  );
  if (cert && key && !cert.parsed.checkPrivateKey(key.parsed))
    faults.push('TLS_KEY_FILE is not the key of TLS_CERT_FILE');
  if (faults.length > 0 || !cert || !key) throw new TypeError(`settings: ${faults.join('; ')}`);
  return { cert: cert.pem, key: key.pem };
}
