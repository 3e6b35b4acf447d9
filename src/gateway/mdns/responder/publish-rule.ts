/**
 * From a service of the directory to one that mDNS can publish: which of its properties make the instance's name, type,
 * host, port and TXT record. What cannot be published says why.
 */

import { isIPv4, isIPv6 } from "node:net";
import type { Properties, PropertyValue } from "../../../core/properties.js";
import { checkedTemplate, expandTemplate } from "../../template.js";
import { isHostAddress } from "../addresses.js";
import { canonicalName, LABEL_BYTES_LIMIT, NameError } from "../names.js";
import { browseNameOf, DOMAIN } from "../service-names.js";
import { Claim } from "./claim.js";
import { asLabel, hostLabel, instanceLabel, proxyHost } from "./labels.js";
import { PROBE_BYTES_LIMIT, probeBytes } from "./packing.js";
import type { WantedService } from "./publisher.js";
import { type OutboundHost, serviceRecords } from "./service-records.js";

/** Templates: `${property}` stands for the first value of a property; a list has all values of a lone `${property}`. */
export interface PublishRule {
  /** A filter of the directory. */
  readonly filter: string;
  /** Default: `${name}`. */
  readonly instance?: string | undefined;
  /** Default: `${mdns.type}`. */
  readonly type?: string | undefined;
  /** Default: `${port}`. */
  readonly port?: string | undefined;
  /** Without `.local`. Default: a host name per service if it has addresses, or else ours. */
  readonly host?: string | undefined;
  /** Default: `${addr}`. */
  readonly addresses?: string | undefined;
  /** Default: `${mdns.sub}`. */
  readonly subtypes?: readonly string[] | undefined;
  /** By key. Default: what the properties `txt.*`, `txtflag.*` and `txtb64.*` hold. */
  readonly txt?: Readonly<Record<string, string>> | undefined;
}

/** Not published, and rightly so. */
const LOOPS = ["comes from this link", "is a gateway's state", "was announced by a gateway"] as const;
type Loop = (typeof LOOPS)[number];

/** Why a service is not published; fixed texts, which are counted. */
export type Refusal =
  | Loop
  | "lacks a property"
  | "name is empty"
  | "type is not a service type"
  | "port is not 1 … 65535"
  | "host is not a host name"
  | "has no usable address"
  | "subtype is not a label"
  | "gateway's name is too long"
  | "TXT is too long";

/** What of a service is not published while the rest of it is; `reason` is one of few fixed texts, `what` is foreign. */
export interface LeftOut {
  readonly reason: "TXT key is not allowed" | "TXT string is too long" | "address is not usable";
  readonly what: string;
}
type LeaveOut = (left: LeftOut) => void;

export const isLoop = (refusal: Refusal): refusal is Loop => (LOOPS as readonly string[]).includes(refusal);

const property = (name: string) => `\${${name}}`;
const PRESET = {
  instance: property("name"),
  type: property("mdns.type"),
  port: property("port"),
  addresses: property("addr"),
  subtype: property("mdns.sub"),
};

/** RFC 6763, 6.1 and 6.2. */
const TXT_STRING_BYTES_LIMIT = 255;
const TXT_BYTES_LIMIT = 1300;
const ADDRESSES_LIMIT = 16;
const SUBTYPES_LIMIT = 16;
/** Of a text in an error. */
const SHOWN_LENGTH = 100;

/** What is wrong with a rule's text if it has no `${property}`: it would be refused for every service. */
const LITERAL_PROBLEMS: Readonly<Record<string, (text: string) => string | undefined>> = {
  instance: (text) => (instanceLabel(text) === "" ? "expected a name that is not empty" : undefined),
  type: (text) => (isServiceType(text) ? undefined : "expected a service type such as _http._tcp"),
  port: (text) => (isPort(text) ? undefined : "expected a number from 1 to 65535"),
  host: (text) => (ownHostLabel(text) === "" ? "expected a host name, with a letter or digit" : undefined),
  addresses: (text) => (isPublishable(text) ? undefined : "expected an IPv4 or IPv6 address that a host can have"),
  subtypes: (text) => (isLabel(text) ? undefined : `expected 1 to ${LABEL_BYTES_LIMIT} bytes`),
};

/** What of a rule cannot be used, by key; the filter is the directory's to check. */
export function ruleProblems(rule: PublishRule): { readonly key: string; readonly message: string }[] {
  const problems: { key: string; message: string }[] = [];
  const check = (key: string, template: string | undefined, literalProblem: (text: string) => string | undefined) => {
    if (template === undefined) return;
    try {
      checkedTemplate(template);
    } catch (error) {
      problems.push({ key, message: (error as Error).message });
      return;
    }
    const problem = template.includes("${") ? undefined : literalProblem(template);
    if (problem) problems.push({ key, message: `${JSON.stringify(template.slice(0, SHOWN_LENGTH))}: ${problem}` });
  };
  for (const key of ["instance", "type", "port", "host", "addresses"] as const) {
    check(key, rule[key], LITERAL_PROBLEMS[key]);
  }
  for (const [i, subtype] of (rule.subtypes ?? []).entries()) {
    check(`subtypes[${i}]`, subtype, LITERAL_PROBLEMS.subtypes);
  }
  for (const [key, template] of Object.entries(rule.txt ?? {})) {
    check(`txt.${key}`, template, (text) =>
      isTxtString(txtString("txt", key, text))
        ? undefined
        : `expected at most ${TXT_STRING_BYTES_LIMIT} bytes with its key`,
    );
    if (!isTxtKey(key)) {
      problems.push({ key: `txt.${key}`, message: 'not a TXT key (1 to 254 printable ASCII characters, no "=")' });
    }
  }
  return problems;
}

/** The marks of our announcements, which importers know them by (spec D.6). */
export interface Marks {
  readonly scope: string;
  /** Name of this gateway. */
  readonly gateway: string;
}

/** 16 hexadecimal digits. */
export const sdidOf = (id: bigint) => id.toString(16).padStart(16, "0");

/** `leaveOut` is told of each part that cannot be published. */
export function wantedService(
  rule: PublishRule,
  id: bigint,
  properties: Properties,
  marks: Marks,
  leaveOut: LeaveOut,
): WantedService | Refusal {
  const loop = loopOf(properties, marks.scope);
  if (loop) return loop;
  const sdid = sdidOf(id);
  const name = expandTemplate(rule.instance ?? PRESET.instance, properties);
  const type = expandTemplate(rule.type ?? PRESET.type, properties);
  const port = expandTemplate(rule.port ?? PRESET.port, properties);
  if (name === undefined || type === undefined || port === undefined) return "lacks a property";
  const label = instanceLabel(name);
  if (label === "") return "name is empty";
  if (!isServiceType(type)) return "type is not a service type";
  if (!isPort(port)) return "port is not 1 … 65535";
  const host = hostOf(rule, sdid, properties, leaveOut);
  if (typeof host === "string") return host;
  const subtypes = subtypesOf(rule, properties);
  if (!subtypes) return "subtype is not a label";
  const txt = txtOf(rule, properties, leaveOut);
  if (typeof txt === "string") return txt;
  const marked = [Buffer.from(`sdid=${sdid}`), Buffer.from(`sdgw=${marks.gateway}`)];
  // Without its marks a service would come back as a foreign one.
  if (!marked.every(isTxtString)) return "gateway's name is too long";
  txt.push(...marked);
  const wanted = { sdid, label, type, subtypes, port: Number(port), txt, ...(host && { host }) };
  return txt.reduce((bytes, string) => bytes + 1 + string.length, 0) <= TXT_BYTES_LIMIT && fitsMessage(wanted)
    ? wanted
    : "TXT is too long";
}

function loopOf(properties: Properties, scope: string): Loop | undefined {
  const sources = properties.get("src") ?? [];
  if (sources.includes(`mdns:${scope}`)) return "comes from this link";
  if (sources.some((source) => String(source).startsWith("gateway:"))) return "is a gateway's state";
  return properties.has("txt.sdid") ? "was announced by a gateway" : undefined;
}

const isPort = (text: string) => /^[0-9]{1,5}$/.test(text) && Number(text) >= 1 && Number(text) <= 65_535;

/** RFC 6335, 5.1: stricter than what we browse. */
function isServiceType(type: string): boolean {
  const name = /^_([A-Za-z0-9-]{1,15})\._(?:tcp|udp)$/i.exec(type)?.[1];
  if (name === undefined || !/[A-Za-z]/.test(name) || /^-|-$|--/.test(name)) return false;
  return browseNameOf(`${type}.${DOMAIN}`) !== undefined;
}

function hostOf(
  rule: PublishRule,
  sdid: string,
  properties: Properties,
  leaveOut: LeaveOut,
): OutboundHost | undefined | Refusal {
  const stated = listOf(rule.addresses ?? PRESET.addresses, properties);
  if (!stated && rule.addresses !== undefined) return "lacks a property";
  if (!stated && rule.host === undefined) return undefined;
  let name = proxyHost(sdid);
  if (rule.host !== undefined) {
    const text = expandTemplate(rule.host, properties);
    if (text === undefined) return "lacks a property";
    const label = ownHostLabel(text);
    if (label === "") return "host is not a host name";
    name = `${label}.${DOMAIN}`;
  }
  const all = [...new Set(stated ?? [])];
  for (const what of all) if (!isPublishable(what)) leaveOut({ reason: "address is not usable", what });
  const addresses = all.filter(isPublishable).sort().slice(0, ADDRESSES_LIMIT);
  return addresses.length > 0 ? { name, addresses } : "has no usable address";
}

const ownHostLabel = (text: string) => hostLabel(text.replace(/\.local\.?$/i, ""));

/** An IPv6 address may name the interface that it is for: `fe80::1%eth0`. */
function isPublishable(text: string): boolean {
  const [address, zone] = text.split("%");
  return (isIPv4(address) ? zone === undefined : isIPv6(address)) && isHostAddress(address, false);
}

function subtypesOf(rule: PublishRule, properties: Properties): string[] | undefined {
  const all = (rule.subtypes ?? [PRESET.subtype]).flatMap((template) => listOf(template, properties) ?? []);
  const subtypes = [...new Set(all)].sort().slice(0, SUBTYPES_LIMIT);
  return subtypes.every(isLabel) ? subtypes : undefined;
}

const isLabel = (text: string) => text !== "" && Buffer.byteLength(text) <= LABEL_BYTES_LIMIT;

/** All values of a property for a lone `${property}`; otherwise the one text. `undefined`: a property is missing. */
function listOf(template: string, properties: Properties): string[] | undefined {
  const lone = /^\$\{([^}]+)\}$/.exec(template)?.[1];
  if (lone !== undefined) return properties.get(lone)?.map(String);
  const text = expandTemplate(template, properties);
  return text === undefined ? undefined : [text];
}

const isTxtKey = (key: string) => /^[\x20-\x3c\x3e-\x7e]{1,254}$/.test(key);

const isTxtString = (string: Buffer) => string.length <= TXT_STRING_BYTES_LIMIT;

function txtOf(rule: PublishRule, properties: Properties, leaveOut: LeaveOut): Buffer[] | Refusal {
  const strings: Buffer[] = [];
  const add = (key: string, string: Buffer) => {
    if (!isTxtKey(key)) leaveOut({ reason: "TXT key is not allowed", what: key });
    else if (!isTxtString(string)) leaveOut({ reason: "TXT string is too long", what: key });
    else strings.push(string);
  };
  if (rule.txt) {
    for (const [key, template] of Object.entries(rule.txt)) {
      const value = expandTemplate(template, properties);
      if (value === undefined) return "lacks a property";
      add(key, txtString("txt", key, value));
    }
    return strings;
  }
  const names = [...properties.keys()].sort();
  for (const name of names) {
    const [, kind, key] = /^(txt|txtflag|txtb64)\.([\s\S]*)$/.exec(name) ?? [];
    if (kind !== undefined) add(key, txtString(kind, key, properties.get(name)?.[0] ?? ""));
  }
  return strings;
}

function txtString(kind: string, key: string, value: PropertyValue): Buffer {
  if (kind === "txtflag") return Buffer.from(key);
  const bytes = Buffer.from(String(value), kind === "txtb64" ? "base64" : "utf8");
  return Buffer.concat([Buffer.from(`${key}=`), bytes]);
}

/** Whether one packet can hold what probing for the name takes, however long its host's name is. */
function fitsMessage(wanted: WantedService): boolean {
  try {
    const name = canonicalName(`${asLabel(wanted.label)}.${wanted.type}.${DOMAIN}`);
    const host = wanted.host ?? { name: `${"h".repeat(LABEL_BYTES_LIMIT)}.${DOMAIN}` };
    const { unique } = serviceRecords({ ...wanted, key: "", name, host });
    return probeBytes(new Claim(name, unique, [], undefined, undefined, 0)) <= PROBE_BYTES_LIMIT;
  } catch (error) {
    if (error instanceof NameError) return false;
    throw error;
  }
}
