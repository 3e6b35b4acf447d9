/** Hardware addresses in what devices announce: by them, announcements of different kinds are known to be of one device. */

/** `a0b1c2d3e4f5`, `a0:b1:c2:d3:e4:f5`, the same with `-`, `a0b1.c2d3.e4f5` */
const MAC =
  /^(?:[0-9a-f]{12}|[0-9a-f]{2}(?::[0-9a-f]{2}){5}|[0-9a-f]{2}(?:-[0-9a-f]{2}){5}|[0-9a-f]{4}(?:\.[0-9a-f]{4}){2})$/;

/**
 * What stands where a hardware address of 6 bytes is meant, in any of the usual notations, as 12 lower-case digits. Not
 * those that are nobody's: zero, and addresses of groups.
 */
export function macOf(text: string | undefined): string | undefined {
  if (text === undefined || text.length > 17 || !MAC.test(text.toLowerCase())) return undefined;
  const digits = text.toLowerCase().replace(/[:.-]/g, "");
  const isGroup = (Number.parseInt(digits.slice(0, 2), 16) & 1) === 1;
  return isGroup || digits === "000000000000" ? undefined : digits;
}

/**
 * A name that is a hardware address. Names of 12 digits may be anything, a date or a number of the maker's: without
 * separators there must be a letter, and the address one that a maker has given.
 */
export function macInName(text: string | undefined): string | undefined {
  const mac = macOf(text);
  if (mac === undefined || text!.length > 12) return mac;
  const isLocal = (Number.parseInt(mac.slice(0, 2), 16) & 2) === 2;
  return /[a-f]/.test(mac) && !isLocal ? mac : undefined;
}
