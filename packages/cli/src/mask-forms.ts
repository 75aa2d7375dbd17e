import { base64Heads, base64Stable, type Phase } from './base64.ts';

/** How two spellings of one character are told to be the same. */
export type Alphabet = 'exact' | 'base64' | 'hex';

/** What a form may be wrapped in when it is written: nothing, base64 at one of three alignments, or hex. */
export type Wrapping = 'plain' | 'base64' | 'hex';

/** Bytes that give a secret away; without line ends, and folded to one spelling of their alphabet. */
export type Form = { text: Uint8Array; alphabet: Alphabet };

/** Says: where certain four bytes stand, this form may begin, wrapped so; `first` is its first byte as written. */
export type Probe = { form: Form; wrapping: Wrapping; phase: Phase; first: number };

/** Takes one part of a secret; gives every four bytes that an encoding of it can begin with, and what to try there. */
export function* probesOf(part: Uint8Array): Generator<{ anchor: Uint8Array; probe: Probe }> {
  for (const spelling of spellings(part)) {
    const form: Form = { text: withoutLineEnds(spelling), alphabet: 'exact' };
    yield* wrapped(form, [form.text, spelling], ['plain', 'base64', 'hex']);
  }
  const reversed: Form = { text: withoutLineEnds(part).reverse(), alphabet: 'exact' };
  yield* wrapped(reversed, [reversed.text], ['plain']);
  for (const phase of [0, 1, 2] as const) {
    const inner = base64Stable(part, phase);
    const url = inner.map((byte) => (byte === 0x2b ? 0x2d : byte === 0x2f ? 0x5f : byte));
    const heads = [inner, url].flatMap(brokenHeads);
    yield* wrapped({ text: inner, alphabet: 'base64' }, heads, ['base64', 'hex']);
  }
  const hex = Buffer.from(Buffer.from(part).toString('hex'));
  const heads = [hex, Buffer.from(hex.toString().toUpperCase())].flatMap(brokenHeads);
  yield* wrapped({ text: hex, alphabet: 'hex' }, heads, ['base64', 'hex']);
}

/** Gives `bytes` without CR and LF: a wrapped text and an unwrapped one compare as one. */
export function withoutLineEnds(bytes: Uint8Array): Uint8Array {
  return bytes.filter((byte) => byte !== 0x0a && byte !== 0x0d);
}

/** The part itself, as a JSON string and as a part of a URL, where these are something else. */
function spellings(part: Uint8Array): Uint8Array[] {
  const text = Buffer.from(part).toString('utf8');
  if (!Buffer.from(text).equals(part)) return [part];
  const json = JSON.stringify(text).slice(1, -1);
  const all = new Set([text, json, json.replaceAll('/', '\\/'), urlEscaped(text), formEscaped(text)]);
  return [...all].map((spelling) => Buffer.from(spelling));
}

function urlEscaped(text: string): string {
  return text.isWellFormed() ? encodeURIComponent(text) : text;
}

function formEscaped(text: string): string {
  return new URLSearchParams([['', text]]).toString().slice(1);
}

/** An inner encoding may itself be broken into lines, also within the first four characters. */
function brokenHeads(text: Uint8Array): Uint8Array[] {
  const heads = [text];
  for (const lineEnd of ['\n', '\r\n']) {
    for (const at of [1, 2, 3]) {
      heads.push(Buffer.concat([text.subarray(0, at), Buffer.from(lineEnd), text.subarray(at, 8)]));
    }
  }
  return heads;
}

function* wrapped(form: Form, heads: Uint8Array[], wrappings: Wrapping[]) {
  for (const wrapping of wrappings) {
    for (const head of heads) {
      for (const { anchor, phase } of anchorsOf(head, wrapping)) {
        yield { anchor, probe: { form, wrapping, phase, first: head[0] ?? 0 } };
      }
    }
  }
}

function* anchorsOf(head: Uint8Array, wrapping: Wrapping): Generator<{ anchor: Uint8Array; phase: Phase }> {
  if (wrapping === 'plain') {
    yield { anchor: head.subarray(0, 4), phase: 0 };
  } else if (wrapping === 'hex') {
    const hex = Buffer.from(head.subarray(0, 2)).toString('hex');
    for (const text of [hex, hex.toUpperCase()]) yield { anchor: Buffer.from(text), phase: 0 };
  } else {
    for (const phase of [0, 1, 2] as const) {
      for (const anchor of base64Heads(head, phase)) yield { anchor, phase };
    }
  }
}
