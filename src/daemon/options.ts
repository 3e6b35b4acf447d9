/**
 * The command line of pafd (pafd-and-pafc.md, 1.1): options and addresses to an effective configuration. Nothing but the
 * configuration file is opened here, and nothing is printed.
 */

import { parseArgs } from "node:util";
import { TransportError } from "../transport/transport.js";
import {
  type Config,
  commandLineAttach,
  commandLineDomain,
  DEFAULT_CONFIG,
  type DomainConfig,
  loadConfig,
} from "./config/config.js";
import { ConfigError } from "./config/config-error.js";
import { readConfigFile } from "./config/config-file.js";
import { demoConfig } from "./config/demo.js";
import { effectiveFile } from "./config/effective-file.js";
import { exampleConfig } from "./config/example.js";
import { editorSchema } from "./config/json-schema.js";
import { escapeText } from "./log/escape.js";
import { OPTIONS, UsageError } from "./option-table.js";

export type PafdCommand =
  /** `hook` is the file of `-r`. */
  | { readonly kind: "run"; readonly config: Config; readonly demo: boolean; readonly hook?: string }
  | { readonly kind: "version" }
  | { readonly kind: "help" }
  | { readonly kind: "print"; readonly text: string }
  | { readonly kind: "check"; readonly fileName: string }
  /** To be printed on standard output, one line each; exit code 1. */
  | { readonly kind: "error"; readonly lines: readonly string[] };

interface Given {
  /** The option's name in `OPTIONS`. */
  readonly name: string;
  /** As written: `-l`, `--level`. */
  readonly written: string;
  readonly value: string;
}

/**
 * `argv` without node and script. The file of `-f` is read by `readFile` and comes first wherever it stands; the other
 * options are applied to it from left to right, and the first wrong one decides.
 */
export function parsePafdOptions(argv: readonly string[], readFile = readConfigFile): PafdCommand {
  try {
    return interpret(splitCommandLine(argv), readFile);
  } catch (e) {
    if (e instanceof UsageError) {
      return { kind: "error", lines: [e.message, ...(e.advice ? [e.advice] : [])].map(escapeText) };
    }
    if (e instanceof ConfigError) {
      return { kind: "error", lines: e.lines.map((line) => escapeText(`Error reading configuration: ${line}`)) };
    }
    throw e;
  }
}

function syntaxError(what: string): UsageError {
  return new UsageError(`Error parsning command line: ${what}.`);
}

/** Options and addresses in the order given. Throws at what is no command line, before anything is looked at closer. */
function splitCommandLine(argv: readonly string[]): { given: readonly Given[]; addresses: readonly string[] } {
  const { tokens } = parseArgs({
    args: [...argv],
    strict: false, // the texts of the errors are ours
    allowPositionals: true,
    tokens: true,
    options: Object.fromEntries(
      Object.entries(OPTIONS).map(([name, { short, argument }]) => [
        name,
        { type: argument ? "string" : "boolean", ...(short ? { short } : {}) } as const,
      ]),
    ),
  });
  const given: Given[] = [];
  const addresses: string[] = [];
  for (const token of tokens) {
    if (token.kind === "positional") addresses.push(token.value);
    const written = token.kind === "option" ? token.rawName : "--";
    if (token.kind !== "positional" && addresses.length > 0) {
      throw syntaxError(`option ${written} stands after the address ${addresses[0]}; options come before addresses`);
    }
    if (token.kind !== "option") continue;
    const option = Object.hasOwn(OPTIONS, token.name) ? OPTIONS[token.name] : undefined;
    if (!option) throw syntaxError(`option ${written} not recognized`);
    if (option.argument && token.value === undefined) throw syntaxError(`option ${written} requires argument`);
    if (!option.argument && token.value !== undefined) throw syntaxError(`option ${written} must not have an argument`);
    given.push({ name: token.name, written, value: token.value ?? "" });
  }
  return { given, addresses };
}

function interpret(
  { given, addresses }: ReturnType<typeof splitCommandLine>,
  readFile: (fileName: string) => string,
): PafdCommand {
  const check = given.find(({ name }) => name === "check");
  if (check) {
    if (given.length + addresses.length > 1) throw syntaxError("option --check goes alone: pafd --check FILE");
    return { kind: "check", fileName: check.value };
  }
  const domains = [
    ...addresses.map((address) => commandLineDomain([address])),
    ...given.filter(({ name }) => name === "multi").map(({ value }) => commandLineDomain(value.split("+"))),
    ...given.filter(({ name }) => name === "gateway-only").map(({ value }) => gatewayOnlyDomain(value)),
  ];
  checkGatewayOnly(domains);
  const fileName = given.filter(({ name }) => name === "file").at(-1)?.value;
  const demo = given.some(({ name }) => name === "demo");
  if (demo && (fileName !== undefined || domains.length > 0)) {
    throw syntaxError("option --demo brings its own domains; it goes neither with -f nor with addresses");
  }
  let config = demo ? demoConfig() : startingPoint(fileName, domains, readFile);
  for (const { name, value } of given) {
    const answer = ANSWERS[name];
    if (answer) return answer();
    config = OPTIONS[name].apply?.(config, value) ?? config; // -f, -m and those of the whole run have none
  }
  if (given.some(({ name }) => name === "print-config")) return { kind: "print", text: loadable(config) };
  if (config.domains.length === 0)
    throw new UsageError(
      "No domains configured.",
      "Name an address, a file with -f, or try --demo; pafd -h lists all options.",
    );
  if (config.gateways.length === 0 && given.some(({ name }) => name === "gateway-only")) {
    throw new UsageError("No gateways configured.", "Option --gateway-only needs a file with gateways: -f FILE.");
  }
  const hook = given.filter(({ name }) => name === "hook").at(-1)?.value;
  return { kind: "run", config, demo, ...(hook === undefined ? {} : { hook }) };
}

function gatewayOnlyDomain(value: string): DomainConfig {
  try {
    return commandLineAttach(value);
  } catch (error) {
    if (error instanceof RangeError || error instanceof TransportError) {
      throw syntaxError(`option --gateway-only: ${error.message}`);
    }
    throw error;
  }
}

function checkGatewayOnly(domains: readonly DomainConfig[]): void {
  if (domains.length < 2 || domains.every(({ attach }) => attach === undefined)) return;
  throw syntaxError("option --gateway-only names the one domain that is worked in; it goes with no other domain");
}

/** Options that end everything when they are reached. */
const ANSWERS: Readonly<Record<string, () => PafdCommand>> = {
  help: () => ({ kind: "help" }),
  version: () => ({ kind: "version" }),
  "print-example": () => ({ kind: "print", text: exampleConfig() }),
  "print-schema": () => ({ kind: "print", text: JSON.stringify(editorSchema(), null, 2) }),
};

/** The configuration as text. Addresses of the command line have not been looked at yet: wrong ones are refused here. */
function loadable(config: Config): string {
  const text = effectiveFile(config);
  try {
    loadConfig(text, "command line");
  } catch (e) {
    if (e instanceof ConfigError) throw new UsageError(e.problems[0].message);
    throw e;
  }
  return text;
}

/** The file, or the defaults without one; domains of the command line replace all of the file's. */
function startingPoint(
  fileName: string | undefined,
  domains: readonly DomainConfig[],
  readFile: (fileName: string) => string,
): Config {
  if (fileName === undefined) return { ...DEFAULT_CONFIG, domains };
  return loadConfig(readFile(fileName), fileName, domains);
}

/** What `pafd -h` prints. */
export function pafdHelp(): string {
  const rows = Object.entries(OPTIONS).map(([name, { short, argument, help }]) => {
    const left = `${short ? `-${short}, ` : "    "}--${name}${argument ? ` ${argument}` : ""}`;
    return `  ${left.padEnd(28)}${help}`;
  });
  return `pafd - Pathfinder service discovery server

Usage: pafd [options] [DOMAIN-ADDR ...]
       pafd -f FILE
       pafd -f FILE --gateway-only DOMAIN
       pafd --check FILE
       pafd --demo

Each DOMAIN-ADDR makes one domain that listens there:
  ux:NAME         name in the abstract UNIX namespace, for this machine
  uxf:PATH        UNIX socket at this path, for this machine
  tcp:HOST:PORT   HOST may be a name, an IPv4 address, [IPv6], * or [*] for all
  tls:HOST:PORT   the same with TLS; certificates in $XCM_TLS_CERT, see pafd(8)
  utls:HOST:PORT  TLS for other machines, a UNIX socket for this one

DOMAIN of --gateway-only is a domain name (a file in $PAF_DOMAINS, else in
/run/paf/domains.d), or the addresses of its servers with + between them.

Options come before addresses:
${rows.join("\n")}

Without -s, -n and -l pafd logs to syslog, from level info up. Options override
the file; addresses, here or with -m, replace all of its domains. Mistakes in a
file are printed all at once, each with its line and key.

pafd stays in the foreground. SIGTERM, SIGINT and SIGHUP end it (it does not
read its file again); SIGUSR1 writes a summary of its state to the log.

Examples:
  pafd -s -n ux:pathfinder                 one domain, log to the terminal
  pafd -m ux:home+tcp:*:4711               one domain, two sockets
  pafd --print-example > pafd.conf         a file with every key explained
  pafd -f /etc/pafd.conf -l debug          from a file, with more detail
  pafd -f gateways.conf -g tcp:hub:4711    gateways for a server elsewhere
`;
}
