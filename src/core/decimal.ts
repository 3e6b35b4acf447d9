/**
 * Integers as canonical decimal text (`-5`, `0`, `42`; no leading zeros, no `-0`), the form in which property records
 * keep them: comparing is exact for any number of digits and allocates nothing, and printing is copying.
 */

const MINUS = 0x2d;

/** 2^63-1 and 2^63: the largest magnitudes of a positive and of a negative property integer. */
const LARGEST = [Uint8Array.from("9223372036854775807", digit), Uint8Array.from("9223372036854775808", digit)] as const;

function digit(text: string): number {
  return text.charCodeAt(0);
}

/** Negative, zero or positive as the integer `a[aStart … aEnd)` is less than, equal to or greater than the other. */
export function compareDecimal(
  a: Uint8Array,
  aStart: number,
  aEnd: number,
  b: Uint8Array,
  bStart: number,
  bEnd: number,
): number {
  const aNegative = a[aStart] === MINUS;
  const bNegative = b[bStart] === MINUS;
  if (aNegative !== bNegative) return aNegative ? -1 : 1;
  return aNegative
    ? compareMagnitude(b, bStart + 1, bEnd, a, aStart + 1, aEnd)
    : compareMagnitude(a, aStart, aEnd, b, bStart, bEnd);
}

function compareMagnitude(
  a: Uint8Array,
  aStart: number,
  aEnd: number,
  b: Uint8Array,
  bStart: number,
  bEnd: number,
): number {
  const length = aEnd - aStart;
  if (length !== bEnd - bStart) return length - (bEnd - bStart);
  for (let i = 0; i < length; i++) {
    const difference = a[aStart + i] - b[bStart + i];
    if (difference !== 0) return difference;
  }
  return 0;
}

/** True if the canonical integer `bytes[start … end)` is within -2^63 … 2^63-1, as property integers must be. */
export function fitsInt64(bytes: Uint8Array, start: number, end: number): boolean {
  if (end - start < 19) return true;
  const negative = bytes[start] === MINUS;
  const from = negative ? start + 1 : start;
  const largest = LARGEST[negative ? 1 : 0];
  return compareMagnitude(bytes, from, end, largest, 0, largest.length) <= 0;
}

/** The canonical form of a sign and digits, e.g. of `+007` or `-0`; `undefined` unless it is a decimal integer. */
export function canonicalDecimal(text: string): string | undefined {
  if (!/^[+-]?[0-9]+$/.test(text)) return undefined;
  // Zeros are skipped by hand: `0*([0-9]+)$` would try every split of a long run of zeros.
  let start = text[0] === "+" || text[0] === "-" ? 1 : 0;
  while (start < text.length - 1 && text[start] === "0") start++;
  const digits = text.slice(start);
  return text[0] === "-" && digits !== "0" ? `-${digits}` : digits;
}
