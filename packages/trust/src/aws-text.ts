/** What a text of an AWS policy is made of: plain text, `*` and `?` where they are wild, and variables. */
export type AwsPiece = { plain: string } | { wild: '*' | '?' } | { variable: string };

/**
 * Takes a text of a policy, whether `*` and `?` are wild in it (StringLike) and the policy's version; gives its pieces.
 * Before 2012-10-17 there are no variables, and `${*}`, `${?}` and `${$}` stand for the sign in them.
 */
export function awsPieces(text: string, isLike: boolean, version: string): AwsPiece[] {
  const pieces: AwsPiece[] = [];
  const token = version === '2012-10-17' ? /\$\{([^}]*)\}|[\s\S]/g : /[\s\S]/g;
  for (const [whole, inner] of text.matchAll(token)) pieces.push(pieceOf(whole, inner, isLike));
  return pieces;
}

function pieceOf(whole: string, inner: string | undefined, isLike: boolean): AwsPiece {
  if (inner !== undefined) return ['*', '?', '$'].includes(inner) ? { plain: inner } : { variable: inner };
  return isLike && (whole === '*' || whole === '?') ? { wild: whole } : { plain: whole };
}

/** Takes pieces and text; says whether the text is of them, whole and by case; undefined where a variable decides. */
export function awsMatches(
  pieces: readonly AwsPiece[],
  text: string,
  ignoreCase = false,
): boolean | undefined {
  if (pieces.some((piece) => 'variable' in piece)) return undefined;
  const pattern = pieces.map((piece) => {
    if ('wild' in piece) return piece.wild === '*' ? '[\\s\\S]*' : '[\\s\\S]';
    return 'plain' in piece ? RegExp.escape(piece.plain) : '';
  });
  return new RegExp(`^${pattern.join('')}$`, ignoreCase ? 'iu' : 'u').test(text);
}

/** Takes text; gives it as a policy of 2012-10-17 must write it so that it means itself, also in StringLike. */
export function awsLiteral(text: string, isLike: boolean): string {
  const escaped = text.replace(/\$(?=\{)/g, (sign) => `${sign}{$}`);
  return isLike ? escaped.replace(/[*?]/g, (sign) => `\${${sign}}`) : escaped;
}
