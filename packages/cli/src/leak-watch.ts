import { type LeakForm, readOtherwise } from './leak-forms.ts';
import { type MaskIndex, maskIndex } from './mask-index.ts';
import { scan } from './mask-scan.ts';
import { isSpacedOut, type SpacedIndex, spacedIndex } from './spaced-out.ts';

/** Looks at what has been shown, for tokens in forms that cannot be masked. */
export type LeakWatch = {
  /** Takes what was shown; it is looked at soon. */
  see(output: Buffer): void;
  /** Looks at what has not been looked at yet. */
  end(): void;
};

/** So much of what was seen before is looked at again, for a token may stand across two pieces. */
const OVERLAP_BYTES = 8 * 1024;
const LOOK_AT_BYTES = 256 * 1024;
const LOOK_WITHIN_MS = 200;
/** An archive can be read from its beginning only: one that goes on is looked at again until so much of it was. */
const ARCHIVE_BYTES = 128 * 1024;

/** Makes a watch over one output; `secrets` are those of now, `leaked` is told what was found. */
export function leakWatch(secrets: () => string[], leaked: (form: LeakForm) => void): LeakWatch {
  const seen = Buffer.allocUnsafe(LOOK_AT_BYTES);
  let size = 0;
  let fresh = 0;
  let index: LeakIndex | undefined;
  let timer: NodeJS.Timeout | undefined;
  const look = () => {
    clearTimeout(timer);
    timer = undefined;
    if (fresh === 0) return;
    index = leakIndex(secrets(), index);
    const { form, openFrom } = findLeak(seen.subarray(0, size), index);
    if (form) leaked(form);
    const over = Math.min(openFrom, Math.max(0, size - OVERLAP_BYTES));
    seen.copyWithin(0, over, size);
    size -= over;
    fresh = 0;
  };
  return {
    see(output) {
      for (let from = 0; from < output.length; ) {
        const taken = output.copy(seen, size, from);
        from += taken;
        size += taken;
        fresh += taken;
        if (size === seen.length) look();
      }
      if (fresh > 0) timer ??= setTimeout(look, LOOK_WITHIN_MS).unref();
    },
    end: look,
  };
}

type LeakIndex = { secrets: readonly string[]; forms: MaskIndex; spaced: SpacedIndex };

type Found = { form?: LeakForm; openFrom: number };

/** Takes a stretch of output; gives the form in which one of the secrets stands in it, and from where on an archive is open. */
function findLeak(window: Buffer, { forms, spaced }: LeakIndex): Found {
  let openFrom = window.length;
  if (isSpacedOut(window, spaced)) return { form: 'spaced out', openFrom };
  for (const { form, text, openFrom: from } of readOtherwise(window)) {
    if (scan(text, forms, false).masked.length > 0) return { form, openFrom };
    if (from !== undefined && from >= window.length - ARCHIVE_BYTES) openFrom = Math.min(openFrom, from);
  }
  return { openFrom };
}

/** Only what is secret of a token: to end a build because of a password that is an ordinary word would be wrong. */
function leakIndex(secrets: readonly string[], known: LeakIndex | undefined): LeakIndex {
  const isSame =
    known?.secrets.length === secrets.length && secrets.every((secret, at) => secret === known.secrets[at]);
  if (isSame) return known;
  const parts = secrets.flatMap((secret) => secretOf(secret) ?? []).map((part) => Buffer.from(part));
  return { secrets, forms: maskIndex(parts), spaced: spacedIndex(parts) };
}

function secretOf(secret: string): string | undefined {
  return /^[\w-]+\.[\w-]+\.([\w-]{32,})$/.exec(secret)?.[1] ?? /^mfr_[\w-]+_([\w-]{43})$/.exec(secret)?.[1];
}
