/** Floating-point texts as C's `strtod` reads them in the "C" locale, where the whole text has to be one. */

/** White space, a sign, then decimal, hexadecimal (with a binary exponent), infinity or NaN; every part linear to match. */
const FLOAT =
  /^[ \t\n\v\f\r]*([+-]?)(?:((?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:e[+-]?[0-9]+)?)|0x([0-9a-f]+(?:\.[0-9a-f]*)?|\.[0-9a-f]+)(?:p([+-]?[0-9]+))?|(inf(?:inity)?)|nan(?:\([0-9a-z_]*\))?)$/i;

/** The number, perhaps infinite or NaN; undefined if something else stands before or behind it, or there is none. */
export function parseCFloat(text: string): number | undefined {
  const match = FLOAT.exec(text);
  if (match === null) return undefined;
  const [, sign, decimal, hexadecimal, exponent, infinity] = match;
  const magnitude =
    decimal !== undefined
      ? Number(decimal)
      : hexadecimal !== undefined
        ? fromHexadecimal(hexadecimal, Number(exponent ?? 0))
        : infinity !== undefined
          ? Infinity
          : NaN;
  return sign === "-" ? -magnitude : magnitude;
}

/** More digits than a double holds only move the exponent. */
function fromHexadecimal(digits: string, exponent: number): number {
  const [whole = "", fraction = ""] = digits.split(".");
  const significant = (whole + fraction).replace(/^0+/, "");
  if (significant === "") return 0;
  const kept = significant.slice(0, 15);
  const scale = exponent - 4 * fraction.length + 4 * (significant.length - kept.length);
  // In two steps: a power of two alone may overflow where the product does not.
  const half = Math.trunc(scale / 2);
  return Number.parseInt(kept, 16) * 2 ** half * 2 ** (scale - half);
}
