import { type LeakForm, readOtherwise } from './leak-forms.ts';
import { type MaskIndex, maskIndex } from './mask-index.ts';
import { scan } from './mask-scan.ts';
import { isSpacedOut } from './spaced-out.ts';

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

/** Makes a watch over one output; `secrets` are those of now, `leaked` is told what was found. */
export function leakWatch(secrets: () => string[], leaked: (form: LeakForm) => void): LeakWatch {
  let seen: Buffer[] = [];
  let size = 0;
  let fresh = 0;
  let index: LeakIndex | undefined;
  let timer: NodeJS.Timeout | undefined;
  const look = () => {
    clearTimeout(timer);
    timer = undefined;
    if (fresh === 0) return;
    const window = Buffer.concat(seen);
    seen = [window.subarray(-OVERLAP_BYTES)];
    size = seen[0]?.length ?? 0;
    fresh = 0;
    index = leakIndex(secrets(), index);
    const form = findLeak(window, index);
    if (form) leaked(form);
  };
  return {
    see(output) {
      if (output.length === 0) return;
      seen.push(output);
      size += output.length;
      fresh += output.length;
      if (size >= LOOK_AT_BYTES) look();
      else timer ??= setTimeout(look, LOOK_WITHIN_MS).unref();
    },
    end: look,
  };
}

type LeakIndex = { key: string; forms: MaskIndex; spaced: Buffer[] };

/** Takes a stretch of output; gives the form in which one of the secrets stands in it, if one does. */
function findLeak(window: Buffer, { forms, spaced }: LeakIndex): LeakForm | undefined {
  if (isSpacedOut(window, spaced)) return 'spaced out';
  for (const { form, text } of readOtherwise(window)) {
    if (scan(text, forms, false).masked.length > 0) return form;
  }
  return undefined;
}

/** Only what is secret of a token: to end a build because of a password that is an ordinary word would be wrong. */
function leakIndex(secrets: string[], known: LeakIndex | undefined): LeakIndex {
  const parts = secrets.map(secretOf).filter((part) => part !== undefined);
  const key = parts.join(' ');
  if (known?.key === key) return known;
  const spaced = parts.map((part) => Buffer.from(part));
  return { key, forms: maskIndex(spaced), spaced };
}

function secretOf(secret: string): string | undefined {
  return /^[\w-]+\.[\w-]+\.([\w-]{32,})$/.exec(secret)?.[1] ?? /^mfr_[\w-]+_([\w-]{43})$/.exec(secret)?.[1];
}
