/**
 * Non-negative integers of 63 bits as two 32-bit halves, so that the hot path creates neither a `bigint` nor a string.
 * Both halves are kept as signed 32-bit numbers (`| 0`), which V8 holds unboxed; `hi` is never negative.
 */

export const UINT63_MAX = 0x7fff_ffff_ffff_ffffn;

/** Longest decimal text of a 63-bit integer. */
export const UINT63_DIGITS = 19;

const TWO_32 = 4_294_967_296;

/** A pair of halves. One is reused wherever a function has to return a number in two halves. */
export class Uint63 {
  hi = 0;
  lo = 0;
}

/** The value as a number: exact below 2^53. For durations, where a lost last digit of an age is harmless. */
export function toNumber(hi: number, lo: number): number {
  return hi * TWO_32 + (lo >>> 0);
}

export function toBigInt(hi: number, lo: number): bigint {
  return (BigInt(hi) << 32n) | BigInt(lo >>> 0);
}

/** The halves of `value`; throws a `RangeError` naming `what` unless it is 0 … 2^63-1. */
export function fromBigInt(value: bigint, into: Uint63, what: string): Uint63 {
  if (value < 0n || value > UINT63_MAX) {
    throw new RangeError(`${what} ${value} is out of range (0 to ${UINT63_MAX} accepted)`);
  }
  into.hi = Number(value >> 32n) | 0;
  into.lo = Number(value & 0xffff_ffffn) | 0;
  return into;
}

/** Negative, zero or positive as a < b, a = b, a > b. */
export function compare(aHi: number, aLo: number, bHi: number, bLo: number): number {
  return aHi !== bHi ? aHi - bHi : (aLo >>> 0) - (bLo >>> 0);
}

/** `0x` and lower-case hexadecimal, as ids are written in logs. */
export function toHex(hi: number, lo: number): string {
  return `0x${toBigInt(hi, lo).toString(16)}`;
}

/**
 * Reads the decimal digits `bytes[start … end)` (only digits, at least one). False if the value exceeds 2^63-1.
 * Works in groups of six digits, so that every intermediate product stays below 2^53.
 */
export function readDecimal(bytes: Uint8Array, start: number, end: number, into: Uint63): boolean {
  let hi = 0;
  let lo = 0;
  let at = start;
  while (at < end) {
    let group = 0;
    let scale = 1;
    for (const stop = Math.min(at + 6, end); at < stop; at++) {
      group = group * 10 + (bytes[at] - 48);
      scale *= 10;
    }
    if (hi === 0) {
      const value = lo * scale + group;
      if (value < TWO_32) {
        lo = value;
        continue;
      }
    }
    const low = lo * scale + group;
    const carry = Math.floor(low / TWO_32);
    lo = low - carry * TWO_32;
    hi = hi * scale + carry;
    if (hi > 0x7fff_ffff) return false;
  }
  into.hi = hi | 0;
  into.lo = lo | 0;
  return true;
}

const digits = new Uint8Array(24);

/** Writes the value in decimal to `bytes` from `at`; returns the position behind it (at most UINT63_DIGITS further). */
export function writeDecimal(bytes: Uint8Array, at: number, hi: number, lo: number): number {
  let high = hi;
  let low = lo >>> 0;
  let count = 0;
  while (high !== 0) {
    // One long-division step by 10^6: the remainder of the high half times 2^32 stays below 2^52.
    const rest = (high % 1_000_000) * TWO_32 + low;
    high = Math.floor(high / 1_000_000);
    const quotient = Math.floor(rest / 1_000_000);
    let group = rest - quotient * 1_000_000;
    low = quotient; // < 2^32, because rest < 10^6 * 2^32
    for (let i = 0; i < 6; i++) {
      const next = Math.floor(group / 10);
      digits[count++] = 48 + group - next * 10;
      group = next;
    }
  }
  do {
    const next = Math.floor(low / 10);
    digits[count++] = 48 + low - next * 10;
    low = next;
  } while (low > 0);
  let to = at;
  while (count > 0) bytes[to++] = digits[--count];
  return to;
}
