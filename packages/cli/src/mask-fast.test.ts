import fc from 'fast-check';
import { expect, test } from 'vitest';
import { eachBeginning } from './mask-beginnings.ts';
import { maskIndex } from './mask-index.ts';
import { ESCAPINGS, unescapedView } from './mask-unescape.ts';
import { joinedView, type View, viewRoom } from './mask-views.ts';
import { isSpacedOut, spacedIndex } from './spaced-out.ts';

// What reads the output looks at several bytes at once, or not at each of them; here it is held to what does.

const SECRETS = ['q3-Vx_90pLk2mZ8sT7yRw4Nc6bHd1fGj', 'AbCdEfGhIjKlMnOpQrStUvWxYz0123456789-_'];
const [first = ''] = SECRETS;
const marks = fc.constantFrom(
  '\n',
  '\r',
  '\r\n',
  '\t',
  '%41',
  '%4',
  '%',
  '\\n',
  '\\u0041',
  '\\u00',
  '\\ud83d',
  '\\uDE00',
  '\\ud8',
  '\\ud',
  '\\',
  '"',
);
const controls = fc.constantFrom(
  '\x1b[m',
  '\x1b[01;31m',
  '\x1b',
  '\x1b[',
  `\x1b[${'1'.repeat(61)}m`,
  `\x1b[${'1'.repeat(62)}m`,
  '\xff\x0e',
);
const fragment = fc
  .tuple(fc.nat(first.length), fc.nat(8))
  .map(([from, size]) => first.slice(from, from + size));
const texts = fc
  .array(fc.oneof(marks, controls, fragment, fc.constantFrom(...SECRETS), fc.string({ maxLength: 12 })), {
    maxLength: 40,
  })
  .map((parts) => parts.join(''));
/** Bytes that begin anywhere in their memory, with other bytes of theirs on either side. */
const written = fc
  .tuple(fc.nat(4), texts)
  .map(([before, text]) =>
    Buffer.from(`${'%\\\n\x1b'.slice(0, before)}${text}%%`, 'latin1').subarray(before, -2),
  );

const RUNS = { numRuns: 200 };

test('each place where a secret may begin is found, at odd places too and at the very end', () => {
  const index = maskIndex(SECRETS.map((secret) => Buffer.from(secret)));
  fc.assert(
    fc.property(written, fc.nat(2), (bytes, cut) => {
      const length = Math.max(0, bytes.length - cut);
      const found: number[] = [];
      const isAny = eachBeginning({ text: bytes, length }, index, (start) => found.push(start));

      const all = Array.from({ length: Math.max(0, length - 3) }, (_, at) => at);
      const wanted = all.filter((at) => index.probes.has(bytes.readInt32LE(at)));
      expect(found.length === wanted.length && found.every((at) => wanted.includes(at))).toBe(true);
      expect(isAny).toBe(wanted.length > 0);
    }),
    RUNS,
  );
});

test('text is put in one line, and each byte known by where it was written', () => {
  const room = viewRoom();
  fc.assert(
    fc.property(written, (bytes) => {
      const wanted = [...bytes].flatMap((byte, at) =>
        byte === 0x0a || byte === 0x0d ? [] : [[byte, at, at + 1]],
      );
      expect(contentOf(joinedView(bytes, room))).toBe(JSON.stringify(wanted));
    }),
    RUNS,
  );
});

const ESC = '\x1b';
const HEX = '[0-9a-fA-F]';
const HIGH = `u[dD][89abAB]${HEX}{2}`;
const LOW = `u[dD][c-fC-F]${HEX}{2}`;
const LOW_CUT = `(?:u(?:${HEX}?|[dD][c-fC-F]${HEX}?))?`;
const GRAMMARS = [
  { whole: /%[0-9a-f]{2}/iy, cut: /%[0-9a-f]?$/iy },
  {
    whole: new RegExp(`\\\\(?:["\\\\/bftnr]|${HIGH}\\\\${LOW}|u${HEX}{4})`, 'y'),
    cut: new RegExp(`\\\\(?:u${HEX}{0,3}|${HIGH}(?:\\\\${LOW_CUT})?)?$`, 'y'),
  },
  { whole: new RegExp(`${ESC}\\[[ -?]{0,61}[@-~]`, 'y'), cut: new RegExp(`${ESC}(?:\\[[ -?]{0,61})?$`, 'y') },
];

test.each([0, 1, 2])(
  'escapes are read as their grammar says, and each byte known by where it was written: %i',
  (kind) => {
    const [joined, room] = [viewRoom(), viewRoom()];
    const [escaping, grammar] = [ESCAPINGS[kind], GRAMMARS[kind]];
    if (!escaping || !grammar) throw new Error('unreachable');
    fc.assert(
      fc.property(written, (bytes) => {
        const below = joinedView(bytes, joined);
        const view = unescapedView(below, escaping, room);
        const [content, isOther] = readSlowly(below, grammar);
        expect(view === undefined).toBe(!isOther);
        if (view) expect(contentOf(view)).toBe(content);
      }),
      RUNS,
    );
  },
);

test('a secret is found with whatever stands between its characters, and only then', () => {
  const secrets = SECRETS.map((secret) => Buffer.from(secret));
  const index = spacedIndex(secrets);
  const between = fc.array(fc.constantFrom('', '', ' ', '\n> ', '.'.repeat(60)), { minLength: 1 });
  const spread = fc
    .tuple(fc.constantFrom(...SECRETS, ...SECRETS.map((secret) => secret.slice(1))), between)
    .map(([secret, gaps]) => [...secret].map((one, at) => `${one}${gaps[at % gaps.length]}`).join(''));
  fc.assert(
    fc.property(fc.array(fc.oneof(spread, texts), { maxLength: 4 }), (parts) => {
      const text = parts.join('');
      const joined = text.replace(/[^\w-]/g, '');
      const isThere = SECRETS.some((secret) => joined.includes(secret));
      expect(isSpacedOut(Buffer.from(text, 'latin1'), index)).toBe(isThere);
    }),
    RUNS,
  );
});

/** What a view says, in one string: comparing many small arrays takes longer than all else. */
function contentOf({ text, length, start, end }: View): string {
  return JSON.stringify(Array.from({ length }, (_, at) => [text[at], start(at), end(at)]));
}

function readSlowly(below: View, { whole, cut }: { whole: RegExp; cut: RegExp }): [string, boolean] {
  const text = Buffer.from(below.text.subarray(0, below.length)).toString('latin1');
  const content: number[][] = [];
  let isOther = false;
  for (let at = 0; at < text.length; ) {
    whole.lastIndex = at;
    cut.lastIndex = at;
    const [found] = whole.exec(text) ?? [];
    const isCut = cut.test(text);
    isOther ||= found !== undefined || isCut;
    if (isCut) break;
    const [from, to] = [below.start(at), below.end(at + (found?.length ?? 1) - 1)];
    const says = found === undefined ? [text.charCodeAt(at)] : [...saidBy(found)];
    content.push(...says.map((byte) => [byte, from, to]));
    at += found?.length ?? 1;
  }
  return [JSON.stringify(content), isOther];
}

function saidBy(found: string): Buffer {
  if (found.startsWith('\x1b')) return Buffer.alloc(0);
  if (found.startsWith('%')) return withoutLines(Buffer.from(found.slice(1), 'hex'));
  return withoutLines(Buffer.from(JSON.parse(`"${found}"`)));
}

function withoutLines(bytes: Buffer): Buffer {
  return bytes.filter((byte) => byte !== 0x0a && byte !== 0x0d) as Buffer;
}
