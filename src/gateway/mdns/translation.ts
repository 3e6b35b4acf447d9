/** From a DNS-SD instance to a Pathfinder service: its id and its properties. The table is in docs/mdns.md. */

import { createHash } from "node:crypto";
import type { Properties, PropertyValue } from "../../core/properties.js";
import { macOf } from "../hardware-address.js";
import { usableAddresses } from "./addresses.js";
import type { InstanceView } from "./instance-view.js";
import { displayLabel } from "./names.js";

/** The directory keeps an orphaned service for twice the life of SRV and address records. */
export const TTL_SECONDS = 240n;

/** TXT beyond these is ignored: RFC 6763 (6.2) advises against more than 1300 bytes. */
const TXT_BYTES_LIMIT = 4096;
const TXT_STRINGS_LIMIT = 128;

/**
 * The first 63 bits of SHA-256 over the scope, a zero byte and the instance key (`nameKey` of its full name, for example
 * `lamp._mqttdev._tcp.local`), never 0: the same in every gateway of the scope and after every restart.
 */
export function serviceId(scope: string, instanceKey: string): bigint {
  const digest = createHash("sha256").update(`${scope}\0${instanceKey}`, "utf8").digest();
  return digest.readBigUInt64BE() >> 1n || 1n;
}

/** The properties of one instance that one or more interfaces show; the first of them decides where they differ. */
export function serviceProperties(scope: string, views: readonly [InstanceView, ...InstanceView[]]): Properties {
  const [first] = views;
  const properties = new Map<string, readonly PropertyValue[]>([
    ["name", [displayLabel(first.label)]],
    ["mdns.type", [first.type]],
    ["mdns.host", [first.host]],
    ["port", [BigInt(first.port)]],
    ["priority", [BigInt(first.priority)]],
    ["weight", [BigInt(first.weight)]],
    ["mdns.interface", [...new Set(views.map(({ interfaceName }) => interfaceName))].sort()],
    ["src", [`mdns:${scope}`]],
  ]);
  const subtypes = [...new Set(views.flatMap((view) => view.subtypes.map(displayLabel)))].sort();
  if (subtypes.length > 0) properties.set("mdns.sub", subtypes);
  const heard = views.flatMap(({ addresses, interfaceName }) =>
    addresses.map((address) => ({ address, interfaceName })),
  );
  properties.set("addr", usableAddresses(heard));
  const txt = txtProperties(first.txt);
  const macs = hardwareAddresses(txt);
  if (macs.length > 0) properties.set("mac", macs);
  for (const [name, value] of txt) properties.set(name, [value]);
  return properties;
}

/** TXT keys that hold a hardware address, or several (Synology's `mac_address`, with `|` between them). */
const MAC_KEYS = ["mac", "macaddress", "mac_address", "deviceid"] as const;

/** As in the services of MQTT devices: one filter finds all that is known of a piece of hardware. */
function hardwareAddresses(txt: ReadonlyMap<string, PropertyValue>): string[] {
  const found = new Set<string>();
  for (const key of MAC_KEYS) {
    const value = txt.get(`txt.${key}`);
    if (typeof value !== "string") continue;
    for (const part of value.split(/[|, ]/)) {
      const mac = macOf(part);
      if (mac !== undefined) found.add(mac);
    }
  }
  return [...found].sort();
}

/** Whether the TXT says that a gateway announces this for a service that is in a directory already: it has `sdid`. */
export function isMarked(strings: readonly Uint8Array[]): boolean {
  return strings
    .slice(0, TXT_STRINGS_LIMIT)
    .some((string) => /^sdid(=|$)/i.test(Buffer.from(string).toString("latin1")));
}

/**
 * The pairs of a TXT record (RFC 6763, 6.3–6.5): the first of equal keys counts, whatever its case; strings without a
 * key, or with one that is not printable ASCII, are ignored.
 */
export function txtProperties(strings: readonly Uint8Array[]): Map<string, PropertyValue> {
  const properties = new Map<string, PropertyValue>();
  const seen = new Set<string>();
  let bytesLeft = TXT_BYTES_LIMIT;
  for (const string of strings.slice(0, TXT_STRINGS_LIMIT)) {
    bytesLeft -= 1 + string.length;
    if (bytesLeft < 0) break;
    const bytes = Buffer.from(string);
    const equals = bytes.indexOf("=");
    const key = (equals < 0 ? bytes : bytes.subarray(0, equals)).toString("latin1").toLowerCase();
    if (!/^[\x20-\x7e]+$/.test(key) || seen.has(key)) continue;
    seen.add(key);
    if (equals < 0) {
      properties.set(`txtflag.${key}`, 1n);
      continue;
    }
    const value = bytes.subarray(equals + 1);
    const text = value.toString("utf8");
    if (Buffer.from(text, "utf8").equals(value)) properties.set(`txt.${key}`, text);
    else properties.set(`txtb64.${key}`, value.toString("base64"));
  }
  return properties;
}
