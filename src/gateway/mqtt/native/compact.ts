/**
 * Properties in the text form that constrained devices read (part D.2): `key=string` or `key#int`, separated by `;`,
 * percent-escaped; and the cutting of what does not fit a device's packet, at property boundaries.
 */

import type { Properties, PropertyValue } from "../../../core/properties.js";
import { byteLength } from "../../../core/text.js";

/** What comes first, and so is there when the rest was cut. `txt.*` stands for all names that begin so. */
export const DEFAULT_ORDER: readonly string[] = ["url", "addr", "host", "port", "cap", "*", "name", "txt.*", "mdns.*"];

/** Names that say nothing to a device: they are in the topic or the reply already, or concern gateways only. */
const LEFT_OUT = /^(?:kind|src|gw|sdid|sdgw|mqtt\..*|federation\..*)$/;

/** Names that the text form can express. */
const KEY = /^[A-Za-z0-9._-]{1,64}$/;

export interface Fields {
  /** `key=string` or `key#int`, escaped, the most important first; the same in every gateway. */
  readonly fields: readonly string[];
  /** False: there are properties that this form cannot express. */
  readonly complete: boolean;
}

/** The properties as fields. `order`: names, `prefix.*`, and `*` for all that are not named. */
export function compactFields(properties: Properties, order: readonly string[] = DEFAULT_ORDER): Fields {
  let complete = true;
  const shown: { rank: number; key: string; values: readonly PropertyValue[] }[] = [];
  const device = properties.get("mqtt.device")?.[0];
  for (const [key, values] of properties) {
    // a native device that gave itself no name is named after its topic
    if (LEFT_OUT.test(key) || (key === "name" && device !== undefined && values[0] === device)) continue;
    if (KEY.test(key)) shown.push({ rank: rankOf(key, order), key, values });
    else complete = false;
  }
  shown.sort((a, b) => a.rank - b.rank || (a.key < b.key ? -1 : 1));
  const fields = shown.flatMap(({ key, values }) => values.map((value) => field(key, value)).sort());
  return { fields, complete };
}

/**
 * `head` and as many fields as `maxBytes` allow; a last field `+` says that more exists. Fields that do not fit are
 * passed over, so that one long value does not hide all others. `undefined`: not even the head has room.
 */
export function cutFields(head: string, { fields, complete }: Fields, maxBytes: number): string | undefined {
  let all = head;
  for (const text of fields) all += `;${text}`;
  if (complete && byteLength(all) <= maxBytes) return all;
  const room = maxBytes - 2; // for ";+"
  let bytes = byteLength(head);
  if (bytes > room) return undefined;
  let cut = head;
  for (const text of fields) {
    const more = 1 + byteLength(text);
    if (bytes + more > room) continue;
    bytes += more;
    cut += `;${text}`;
  }
  return `${cut};+`;
}

function rankOf(key: string, order: readonly string[]): number {
  const named = order.indexOf(key);
  if (named >= 0) return named;
  const prefixed = order.findIndex((name) => name.endsWith(".*") && key.startsWith(name.slice(0, -1)));
  if (prefixed >= 0) return prefixed;
  const others = order.indexOf("*");
  return others >= 0 ? others : order.length;
}

function field(key: string, value: PropertyValue): string {
  return typeof value === "bigint" ? `${key}#${value}` : `${key}=${escaped(value)}`;
}

function escaped(text: string): string {
  return text.replace(/[%;\u0000-\u001f]/g, (character) => {
    return `%${character.charCodeAt(0).toString(16).toUpperCase().padStart(2, "0")}`;
  });
}
