/** In place of a byte: the text ends first. */
export const CUT = -1;

const HEX_VALUES = hexValues();

/** The byte that two digits say; undefined where they are none, `CUT` where the text ends first. */
export function hexByte(text: Uint8Array, at: number, length: number): number | undefined {
  if (at >= length) return CUT;
  const high = HEX_VALUES[text[at] as number] as number;
  if (high < 0) return undefined;
  if (at + 1 >= length) return CUT;
  const low = HEX_VALUES[text[at + 1] as number] as number;
  return low < 0 ? undefined : high * 16 + low;
}

function hexValues(): Int8Array {
  const values = new Int8Array(256).fill(-1);
  for (const [value, digit] of [...'0123456789abcdef'].entries()) {
    values[digit.charCodeAt(0)] = value;
    values[digit.toUpperCase().charCodeAt(0)] = value;
  }
  return values;
}
