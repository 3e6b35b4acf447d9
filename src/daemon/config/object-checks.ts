/**
 * What must hold between the keys of one object of the configuration, beyond what the schema says of each key. A key with
 * a problem of its own, which was reported, is absent in what is checked here; whether it was `Given` tells the difference.
 */

import { parseFilter } from "../../core/filter/syntax.js";
import { type PublishRule, ruleProblems } from "../../gateway/mdns/responder/publish-rule.js";
import { parseBrowseName } from "../../gateway/mdns/service-names.js";
import { parseBrokerUrl } from "../../gateway/mqtt/broker-url.js";
import { checkedRoot, checkedSite } from "../../gateway/mqtt/topics.js";

/** `key` is relative to the object checked: `max`, or `` for the object itself. */
export type Report = (key: string, message: string) => void;

/** Whether the key stands in the file (perhaps misspelt, which was reported), as opposed to its default. */
export type Given = (key: string) => boolean;

export function checkProtocolVersion({ min, max }: { min?: number; max?: number }, report: Report): void {
  if (min !== undefined && max !== undefined && min > max) {
    report("min", `${min} is above max, which is ${max} (min must not be above max)`);
  }
}

export function checkIdle({ min, max }: { min?: number; max?: number }, report: Report): void {
  if (min !== undefined && max !== undefined && max < min) {
    report("max", `${max} is below min, which is ${min} (4 unless given; max must not be below min)`);
  }
}

export function checkDomain(domain: { readonly max_idle_time?: number }, report: Report, given: Given): void {
  if (given("sockets") && given("addrs")) {
    report("addrs", 'given together with "sockets", of which it is the older name (give one of them)');
  }
  if (!given("sockets") && !given("addrs")) {
    report("sockets", "missing; needed is a list of the addresses to listen on");
  }
  if (given("idle") && given("max_idle_time")) {
    report("max_idle_time", 'given together with "idle" (it is the older name of idle.max; give only that)');
  } else if (domain.max_idle_time !== undefined && domain.max_idle_time < 4) {
    report(
      "max_idle_time",
      `${domain.max_idle_time} is below idle.min, which is 4 unless given (use idle: {min, max})`,
    );
  }
}

/** The transports on which a socket's key means something. */
const TRANSPORTS_WITH = { tls: ["tls", "utls"], user: ["ux", "uxf", "utls"] } as const;

export function checkSocket({ addr }: { addr?: string }, report: Report, given: Given): void {
  if (addr === undefined) return;
  const transport = addr.slice(0, Math.max(0, addr.indexOf(":")));
  if (!["ux", "uxf", "tcp", "tls", "utls"].includes(transport)) return; // that is what is wrong, and is reported
  const refuse = (key: "tls" | "user", what: string) => {
    const valid: readonly string[] = TRANSPORTS_WITH[key];
    if (!given(key) || valid.includes(transport)) return;
    report(key, `"${transport}" is not a transport with ${what} (valid values: ${valid.join(" ")})`);
  };
  refuse("tls", "TLS");
  refuse("user", "local clients");
}

export function checkOutputQueue(
  { connection, domain }: { connection?: number; domain?: number },
  report: Report,
): void {
  if (connection !== undefined && domain !== undefined && connection > domain) {
    report("connection", `${connection} is above domain, which is ${domain} (connection must not be above domain)`);
  }
}

interface CheckedMqtt {
  readonly url?: string;
  readonly root?: string;
  readonly site?: string;
  readonly tls?: object;
}

export function checkMqtt(gateway: CheckedMqtt, report: Report, given: Given): void {
  const { url, tls } = gateway;
  checkBy(checkedRoot, gateway.root, "root", report);
  checkBy(checkedSite, gateway.site, "site", report);
  const broker = checkBy(parseBrokerUrl, url, "url", report);
  if (given("password") && given("password_file")) {
    report("password_file", 'given together with "password" (give one of them)');
  }
  if (!given("user") && (given("password") || given("password_file"))) {
    const key = given("password") ? "password" : "password_file";
    report(key, 'given without "user" (MQTT knows no password without a user name)');
  }
  if (tls && broker?.tls === false) report("tls", 'given for a broker without TLS (write the url with "mqtts://")');
}

export function checkClientCertificate(_: unknown, report: Report, given: Given): void {
  if (given("cert") === given("key")) return;
  const [present, missing] = given("cert") ? ["cert", "key"] : ["key", "cert"];
  report(present, `given without "${missing}" (a client certificate needs both)`);
}

interface CheckedMdns {
  readonly types?: "all" | readonly string[];
  readonly publish?: readonly (PublishRuleInFile | undefined)[];
}

interface PublishRuleInFile extends Omit<PublishRule, "txt"> {
  readonly txt?: ReadonlyMap<string, string>;
}

export function checkMdns({ types, publish = [] }: CheckedMdns, report: Report): void {
  for (const [i, type] of (types === "all" ? [] : (types ?? [])).entries()) {
    // An element with a problem of its own is absent.
    if (type !== undefined) checkBy(parseBrowseName, type, `types[${i}]`, report);
  }
  for (const [i, rule] of publish.entries()) {
    if (!rule) continue;
    checkBy(parseFilter, rule.filter, `publish[${i}].filter`, report);
    for (const { key, message } of ruleProblems({ ...rule, txt: Object.fromEntries(rule.txt ?? []) })) {
      report(`publish[${i}].${key}`, message);
    }
  }
}

/** What the gateway's own reader makes of a text; its complaint is the problem. */
function checkBy<T>(read: (text: string) => T, text: string | undefined, key: string, report: Report): T | undefined {
  if (text === undefined) return undefined;
  try {
    return read(text);
  } catch (e) {
    report(key, (e as Error).message);
    return undefined;
  }
}
