/** Takes a token, how many, and a seed; gives that many different strings that are one or two mistakes away from it. */
export function* mutations(token: string, count: number, seed: number): Generator<string> {
  let state = seed;
  const random = (below: number) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_=.+/ ~';
  const one = (text: string) => {
    const at = random(text.length);
    const length = 1 + random(3);
    const letter = alphabet[random(alphabet.length)] ?? 'A';
    const rest = text.slice(at + length);
    const kinds = [
      () => text.slice(0, at) + letter + text.slice(at + 1),
      () => text.slice(0, at) + rest,
      () => text.slice(0, at) + letter + text.slice(at),
      () => text.slice(0, at) + text.slice(at, at + length) + text.slice(at),
      () => text.slice(0, at) + (text[at + 1] ?? '') + (text[at] ?? '') + text.slice(at + 2),
      () => text.slice(0, at),
      () =>
        text.slice(0, at) +
        String.fromCharCode((text.charCodeAt(at) ^ (1 << random(7))) & 0x7f) +
        text.slice(at + 1),
    ];
    return (kinds[random(kinds.length)] as () => string)();
  };
  for (let made = 0; made < count; ) {
    const mutated = random(4) === 0 ? one(one(token)) : one(token);
    if (mutated === token) continue;
    made += 1;
    yield mutated;
  }
}
