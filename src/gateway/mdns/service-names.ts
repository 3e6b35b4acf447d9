/** The names of DNS-SD (RFC 6763): service types, subtypes and instances, told apart by their labels. */

import { canonicalName, labelsOf, NameError, nameKey, nameOf } from "./names.js";

export const DOMAIN = "local";
/** The question for every service type on the link (RFC 6763, section 9). */
export const META_QUERY = `_services._dns-sd._udp.${DOMAIN}`;

/** What to browse: a service type, maybe narrowed to a subtype. */
export interface BrowseName {
  /** For example `_mqttdev._tcp.local` or `_lamp._sub._mqttdev._tcp.local`. */
  readonly name: string;
  /** For example `_mqttdev._tcp`. */
  readonly type: string;
  /** For example `_lamp`. */
  readonly subtype: string | undefined;
}

export interface InstanceName {
  /** For example `Lamp._mqttdev._tcp.local`, in the text form of names.ts. */
  readonly name: string;
  /** For example `Lamp`, still in text form. */
  readonly label: string;
  readonly type: string;
}

/** `_http._tcp`, `_lamp._sub._mqttdev._tcp`, each with or without `.local`; throws a `NameError` for anything else. */
export function parseBrowseName(text: string): BrowseName {
  const browse = browseNameOf(canonicalName(text));
  if (!browse) {
    throw new NameError(`"${text}" is not a service type (such as _http._tcp, or _printer._sub._http._tcp)`);
  }
  return browse;
}

/** The same for a name that was heard; `undefined` if it is not a service type. */
export function browseNameOf(name: string): BrowseName | undefined {
  const labels = labelsOf(name);
  if (nameKey(labels.at(-1) ?? "") === DOMAIN) labels.pop();
  const [protocol, service, sub, subtype] = labels.reverse();
  if (!protocol || !service || !/^_(tcp|udp)$/i.test(protocol) || !/^_[A-Za-z0-9-]{1,63}$/.test(service)) return;
  const type = nameOf([service, protocol]);
  if (nameKey(`${type}.${DOMAIN}`) === META_QUERY.slice(META_QUERY.indexOf(".") + 1)) return;
  if (labels.length === 2) return { name: `${type}.${DOMAIN}`, type, subtype: undefined };
  if (labels.length !== 4 || nameKey(sub) !== "_sub") return;
  return { name: `${subtype}._sub.${type}.${DOMAIN}`, type, subtype };
}

/** The parts of an instance's name; `undefined` if it is not one label before a service type in `local`. */
export function instanceNameOf(name: string): InstanceName | undefined {
  const [label, ...rest] = labelsOf(name);
  if (rest.length !== 3) return;
  const browse = browseNameOf(nameOf(rest));
  return browse && nameKey(rest[2]) === DOMAIN ? { name, label, type: browse.type } : undefined;
}
