/** Numbers in four characters, where there is no room for more: 0.4, 12.3, 999, 2.6k, 17k, 1.2M. */

const UNITS = ["k", "M", "G", "T"] as const;

/** `value` is 0 or more, rounded; below 100 with so many `decimals`. Only from 1000 T on it is longer. */
export function compact(value: number, decimals: 0 | 1 = 1): string {
  if (value < 999.5) return value.toFixed(value < 99.95 ? decimals : 0);
  let scaled = value / 1000;
  let unit = 0;
  for (; scaled >= 999.5 && unit < UNITS.length - 1; unit++) scaled /= 1000;
  return scaled.toFixed(scaled < 9.95 ? 1 : 0) + UNITS[unit];
}
