/**
 * The addresses of a host name: /etc/hosts, then DNS, as libxcm asks c-ares for them (xcm-transports.md, 4.4); then, for
 * what DNS does not know, whatever else the machine is set up to ask (mDNS, search domains).
 *
 * Not `getaddrinfo` alone, which Node.js runs on a thread that nothing can interrupt: with a name server that does not
 * answer, two names would block all others, and keep a process that is about to end alive for a minute.
 */

import { promises as dns } from "node:dns";
import { readFile } from "node:fs/promises";
import { isIP, isIPv6 } from "node:net";
import { networkInterfaces } from "node:os";

export interface NameResolutionOptions {
  /** For tests; by default those of the machine. */
  readonly servers?: readonly string[];
  readonly hostsFile?: string;
  readonly lookup?: (name: string) => Promise<readonly string[]>;
}

/** Of one name server, for the first question; c-ares doubles it for each of the next ones. */
const ANSWER_MS = 2000;
const TRIES = 3;

/** What says no more than that nobody answered; asking another way would only wait again. */
const NO_ANSWER: ReadonlySet<unknown> = new Set(["ETIMEOUT", "ECANCELLED"]);

/** In the order in which they should be tried. Rejects if there is none, or when `signal` aborts. */
export async function resolveName(
  name: string,
  signal: AbortSignal | undefined,
  { servers, hostsFile = "/etc/hosts", lookup = bySystem }: NameResolutionOptions = {},
): Promise<readonly string[]> {
  const listed = await fromHostsFile(hostsFile, name);
  if (listed.length > 0) return inOrder(listed);
  const resolver = new dns.Resolver({ timeout: ANSWER_MS, tries: TRIES });
  if (servers) resolver.setServers(servers);
  const cancel = () => resolver.cancel();
  signal?.addEventListener("abort", cancel);
  try {
    signal?.throwIfAborted();
    const answers = await Promise.allSettled([resolver.resolve6(name), resolver.resolve4(name)]);
    const found = answers.flatMap((answer) => (answer.status === "fulfilled" ? answer.value : []));
    if (found.length > 0) return inOrder(found);
    for (const answer of answers) {
      if (answer.status === "rejected" && NO_ANSWER.has(answer.reason.code)) throw answer.reason;
    }
  } finally {
    signal?.removeEventListener("abort", cancel);
  }
  return shared(name, lookup);
}

/** Questions that are under way, by name: attempts that follow one another share an answer. */
const underWay = new Map<string, Promise<readonly string[]>>();

function shared(name: string, lookup: (name: string) => Promise<readonly string[]>): Promise<readonly string[]> {
  const present = underWay.get(name);
  if (present) return present;
  const question = lookup(name).finally(() => underWay.delete(name));
  underWay.set(name, question);
  return question;
}

async function bySystem(name: string): Promise<readonly string[]> {
  return (await dns.lookup(name, { all: true, verbatim: true })).map(({ address }) => address);
}

/** The lines of the file that name the host; a file that can not be read has none. */
async function fromHostsFile(file: string, name: string): Promise<string[]> {
  const text = await readFile(file, "utf8").catch(() => "");
  const wanted = name.toLowerCase().replace(/\.$/, "");
  return text.split("\n").flatMap((line) => {
    const [address = "", ...names] = line.replace(/#.*/, "").trim().split(/\s+/);
    return isIP(address) !== 0 && names.some((one) => one.toLowerCase() === wanted) ? [address] : [];
  });
}

/** IPv6 first, if this machine has such an address that may reach it (RFC 6724 in short: one's own scope, IPv6 first). */
function inOrder(addresses: readonly string[]): string[] {
  const own = Object.values(networkInterfaces()).flatMap((list) => list ?? []);
  const hasLoopback = own.some(({ address }) => address === "::1");
  const hasWide = own.some(({ family, address, internal }) => {
    const isV6 = family === "IPv6" || (family as unknown) === 6; // Node.js 18.0 to 18.3
    return isV6 && !internal && !/^fe[89ab]/i.test(address);
  });
  const isReachable = (address: string) => isIPv6(address) && (address === "::1" ? hasLoopback : hasWide);
  const first = addresses.filter(isReachable);
  const ipv4 = addresses.filter((address) => !isIPv6(address));
  const rest = addresses.filter((address) => isIPv6(address) && !isReachable(address));
  return [...new Set([...first, ...ipv4, ...rest])];
}
