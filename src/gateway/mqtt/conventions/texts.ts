/** What of foreign text is taken: bounded, without control characters. */

import { LIMITS } from "./limits.js";

/** C0 and C1 controls, DEL, and surrogates without a partner. */
const REFUSED = /[\u0000-\u001f\u007f-\u009f]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g;

/**
 * A string, number or boolean as text: control characters removed, white space around it, too. `undefined` if nothing is
 * left, if it is none of these, or if it has more than `LIMITS.textBytes` bytes.
 */
export function cleanText(value: unknown): string | undefined {
  if (typeof value === "number" || typeof value === "boolean") return String(value);
  if (typeof value !== "string" || value.length > LIMITS.textBytes) return undefined;
  const text = value.replace(REFUSED, "").trim();
  return text === "" || Buffer.byteLength(text) > LIMITS.textBytes ? undefined : text;
}

/** A topic that may be subscribed to or compared with: no wildcards, no control characters, not below `$`. */
export function usableTopic(topic: unknown): topic is string {
  if (typeof topic !== "string" || topic === "" || topic.startsWith("$")) return false;
  if (topic.length > LIMITS.topicBytes) return false;
  return !/[+#\u0000-\u001f\u007f]/.test(topic) && Buffer.byteLength(topic) <= LIMITS.topicBytes;
}
