/** What must hold between the keys of one object of the configuration, beyond what the schema says of each key. */

import { parseBrowseName } from "../../gateway/mdns/service-names.js";
import { parseBrokerUrl } from "../../gateway/mqtt/broker-url.js";
import { checkedRoot, checkedSite } from "../../gateway/mqtt/topics.js";

/** `key` is relative to the object checked: `max`, or `` for the object itself. */
export type Report = (key: string, message: string) => void;

export function checkProtocolVersion({ min, max }: { min: number; max: number }, report: Report): void {
  if (min > max) report("min", `${min} is above max, which is ${max} (min must not be above max)`);
}

export function checkIdle({ min, max }: { min: number; max: number }, report: Report): void {
  if (max < min) report("max", `${max} is below min, which is ${min} (4 unless given; max must not be below min)`);
}

interface CheckedDomain {
  readonly sockets?: unknown;
  readonly addrs?: unknown;
  readonly max_idle_time?: number;
}

/** `given` tells whether the key stands in the file, as opposed to its default. */
export function checkDomain(domain: CheckedDomain, report: Report, given: (key: string) => boolean): void {
  if (domain.sockets !== undefined && domain.addrs !== undefined) {
    report("addrs", 'given together with "sockets", of which it is the older name (give one of them)');
  }
  if (domain.sockets === undefined && domain.addrs === undefined) {
    report("sockets", "missing; needed is a list of the addresses to listen on");
  }
  if (domain.max_idle_time === undefined) return;
  if (given("idle")) {
    report("max_idle_time", 'given together with "idle" (it is the older name of idle.max; give only that)');
  } else if (domain.max_idle_time < 4) {
    report(
      "max_idle_time",
      `${domain.max_idle_time} is below idle.min, which is 4 unless given (use idle: {min, max})`,
    );
  }
}

const transportOf = (address: string) => address.slice(0, Math.max(0, address.indexOf(":")));

export function checkSocket({ addr, tls }: { addr: string; tls?: object }, report: Report): void {
  const transport = transportOf(addr);
  if (tls && transport !== "tls" && transport !== "utls") {
    report("tls", `"${transport}" is not a transport with TLS (valid values: tls utls)`);
  }
}

interface CheckedMqtt {
  readonly url: string;
  readonly root: string;
  readonly site: string;
  readonly user?: string;
  readonly password?: string;
  readonly password_file?: string;
  readonly tls?: { readonly cert?: string; readonly key?: string };
}

export function checkMqtt(gateway: CheckedMqtt, report: Report): void {
  const { url, user, password, password_file, tls } = gateway;
  checkBy(checkedRoot, gateway.root, "root", report);
  checkBy(checkedSite, gateway.site, "site", report);
  const broker = checkBy(parseBrokerUrl, url, "url", report);
  if (password !== undefined && password_file !== undefined) {
    report("password_file", 'given together with "password" (give one of them)');
  }
  if (user === undefined && (password !== undefined || password_file !== undefined)) {
    const key = password === undefined ? "password_file" : "password";
    report(key, 'given without "user" (MQTT knows no password without a user name)');
  }
  if (tls && broker?.tls === false) report("tls", 'given for a broker without TLS (write the url with "mqtts://")');
  if (tls && (tls.cert === undefined) !== (tls.key === undefined)) {
    const [given, missing] = tls.cert === undefined ? ["key", "cert"] : ["cert", "key"];
    report(`tls.${given}`, `given without "${missing}" (a client certificate needs both)`);
  }
}

export function checkMdns({ types }: { types: "all" | readonly string[] }, report: Report): void {
  if (types === "all") return;
  for (const [i, type] of types.entries()) {
    // An element with a problem of its own is absent.
    if (type !== undefined) checkBy(parseBrowseName, type, `types[${i}]`, report);
  }
}

/** What the gateway's own reader makes of a text; its complaint is the problem. */
function checkBy<T>(read: (text: string) => T, text: string, key: string, report: Report): T | undefined {
  try {
    return read(text);
  } catch (e) {
    report(key, (e as Error).message);
    return undefined;
  }
}
