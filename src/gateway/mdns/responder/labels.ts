/** Names that we give: instance labels and host labels, made to fit, and the next one if a name is taken. */

import { LABEL_BYTES_LIMIT, labelText } from "../names.js";
import { DOMAIN } from "../service-names.js";

/** At most `limit` bytes of UTF-8, cut between characters (not between a letter and its accent, or within an emoji). */
function cutToBytes(text: string, limit: number): string {
  if (Buffer.byteLength(text) <= limit) return text;
  let kept = "";
  for (const { segment } of new Intl.Segmenter(undefined, { granularity: "grapheme" }).segment(text)) {
    if (Buffer.byteLength(kept + segment) > limit) break;
    kept += segment;
  }
  return kept.trimEnd();
}

/** A text as an instance label (RFC 6763, 4.1.1): NFC, no control characters, at most 63 bytes. May be empty. */
export function instanceLabel(text: string): string {
  const clean = Buffer.from(text, "utf8") // replaces halves of surrogate pairs
    .toString("utf8")
    .normalize("NFC")
    .replace(/[\x00-\x1f\x7f-\x9f]+/g, " ")
    .trim();
  return cutToBytes(clean, LABEL_BYTES_LIMIT);
}

/** `Lamp`, `Lamp (2)`, `Lamp (3)` … for n = 1, 2, 3 … */
export function numberedInstance(label: string, n: number): string {
  if (n === 1) return label;
  const suffix = ` (${n})`;
  return cutToBytes(label, LABEL_BYTES_LIMIT - suffix.length) + suffix;
}

/** `pf-attic`, `pf-attic-2` … */
export function numberedHost(label: string, n: number): string {
  if (n === 1) return label;
  const suffix = `-${n}`;
  return label.slice(0, LABEL_BYTES_LIMIT - suffix.length) + suffix;
}

/** A text as a host label: letters, digits and hyphens. */
export function hostLabel(text: string): string {
  return text
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "-")
    .slice(0, LABEL_BYTES_LIMIT)
    .replace(/^-+|-+$/g, "");
}

/** A label that a person wrote or would read, in the text form of names.ts. */
export const asLabel = (text: string) => labelText(Buffer.from(text, "utf8"));

/** The host name of a service's own, if the rule gives it none: any gateway gives it the same. */
export const proxyHost = (sdid: string) => `d-${sdid}.${DOMAIN}`;
