/**
 * The command line of pafd (pafd-and-pafc.md, 1.1): options and addresses to an effective configuration. Nothing but the
 * configuration file is opened here, and nothing is printed.
 */

import { parseArgs } from "node:util";
import { LOG_LEVELS, type LogLevel } from "../core/log.js";
import { type Config, commandLineDomain, DEFAULT_CONFIG, type DomainConfig, loadConfig } from "./config/config.js";
import { ConfigError } from "./config/config-error.js";
import { readConfigFile } from "./config/config-file.js";
import { demoConfig } from "./config/demo.js";
import { escapeText } from "./log/escape.js";

export type PafdCommand =
  | { readonly kind: "run"; readonly config: Config; readonly demo: boolean }
  | { readonly kind: "version" }
  | { readonly kind: "help" }
  /** To be printed on standard output, one line each; exit code 1. */
  | { readonly kind: "error"; readonly lines: readonly string[] };

interface Option {
  readonly short?: string;
  readonly argument?: string;
  readonly help: string;
  /** Known to the reference, refused here. */
  readonly unsupported?: true;
}

const OPTIONS: Readonly<Record<string, Option>> = {
  multi: { short: "m", argument: "A+B+…", help: "Add one domain with several sockets (repeatable)." },
  console: { short: "s", help: "Log to the console (standard error)." },
  "no-syslog": { short: "n", help: "Do not log to syslog." },
  level: { short: "l", argument: "LEVEL", help: `Log from LEVEL up: ${LOG_LEVELS.join(" ")}.` },
  clients: { short: "c", argument: "N", help: "Most clients per domain; 0 means no limit." },
  file: { short: "f", argument: "FILE", help: "Read this configuration file (YAML); see pafd.conf(5)." },
  demo: { help: "Run a domain and gateways on this machine, to try it." },
  version: { short: "v", help: "Print server and protocol versions, then exit." },
  help: { short: "h", help: "Print this text, then exit." },
  "log-file": { short: "o", argument: "FILE", help: "Log to a file as well.", unsupported: true },
  "log-backups": { short: "b", argument: "N", help: "Rotated log files to keep.", unsupported: true },
  "log-size": { short: "x", argument: "BYTES", help: "Size at which the log file is rotated.", unsupported: true },
  "syslog-socket": { short: "u", argument: "PATH", help: "Where syslog listens.", unsupported: true },
  facility: { short: "y", argument: "NAME", help: "Syslog facility.", unsupported: true },
  hook: { short: "r", argument: "FILE", help: "Start-up hook.", unsupported: true },
};

/** A wrong command line; `message` is the line to print, `advice` one more. */
class UsageError extends Error {
  constructor(
    message: string,
    readonly advice?: string,
  ) {
    super(message);
  }
}

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
    if (option.unsupported) {
      throw syntaxError(`option ${written} (${option.help.slice(0, -1).toLowerCase()}) is not supported yet`);
    }
    given.push({ name: token.name, written, value: token.value ?? "" });
  }
  return { given, addresses };
}

function interpret(
  { given, addresses }: ReturnType<typeof splitCommandLine>,
  readFile: (fileName: string) => string,
): PafdCommand {
  const domains = [
    ...addresses.map((address) => commandLineDomain([address])),
    ...given.filter(({ name }) => name === "multi").map(({ value }) => commandLineDomain(value.split("+"))),
  ];
  const fileName = given.filter(({ name }) => name === "file").at(-1)?.value;
  const demo = given.some(({ name }) => name === "demo");
  if (demo && (fileName !== undefined || domains.length > 0)) {
    throw syntaxError("option --demo brings its own domains; it goes neither with -f nor with addresses");
  }
  let config = demo ? demoConfig() : startingPoint(fileName, domains, readFile);
  for (const option of given) {
    if (option.name === "help" || option.name === "version") return { kind: option.name };
    config = apply(config, option);
  }
  if (config.domains.length === 0)
    throw new UsageError(
      "No domains configured.",
      "Name an address, a file with -f, or try --demo; pafd -h lists all options.",
    );
  return { kind: "run", config, demo };
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

function apply(config: Config, { name, value }: Given): Config {
  const { log, resources } = config;
  if (name === "console") return { ...config, log: { ...log, console: true } };
  if (name === "no-syslog") return { ...config, log: { ...log, syslog: false } };
  if (name === "level") return { ...config, log: { ...log, filter: logLevel(value) } };
  if (name !== "clients") return config; // -f, -m and --demo had their turn
  const { clients: _, ...others } = resources.total;
  const limit = clientLimit(value);
  return { ...config, resources: { ...resources, total: limit === 0 ? others : { ...others, clients: limit } } };
}

function logLevel(text: string): LogLevel {
  const level = LOG_LEVELS.find((known) => known === text);
  if (level) return level;
  throw new UsageError(`invalid filter level: '${text}' (valid values: ${LOG_LEVELS.join(" ")})`);
}

function clientLimit(text: string): number {
  const limit = Number(text);
  if (!/^[+-]?\d+$/.test(text)) throw new UsageError("Client limit must be an integer.");
  if (limit < 0 || limit > Number.MAX_SAFE_INTEGER) {
    throw new UsageError(`invalid client limit: '${text}' (valid values: 0 for no limit, or a number above)`);
  }
  return limit === 0 ? 0 : limit;
}

/** What `pafd -h` prints. */
export function pafdHelp(): string {
  const rows = Object.entries(OPTIONS)
    .filter(([, { unsupported }]) => !unsupported)
    .map(([name, { short, argument, help }]) => {
      const left = `${short ? `-${short}, ` : "    "}--${name}${argument ? ` ${argument}` : ""}`;
      return `  ${left.padEnd(24)}${help}`;
    });
  return `pafd - Pathfinder service discovery server

Usage: pafd [options] [DOMAIN-ADDR ...]
       pafd -f FILE
       pafd --demo

Each DOMAIN-ADDR makes one domain that listens there: ux:NAME, uxf:PATH,
tcp:HOST:PORT (HOST may be a name, an IPv4 address, [IPv6], or * for all).
Options come before addresses. pafd stays in the foreground; SIGTERM, SIGINT
and SIGHUP end it.

Options:
${rows.join("\n")}

Without -l, -s and -n pafd logs from level info up to syslog. Options override
the file; addresses, here or with -m, replace all of its domains. Mistakes in
a file are printed all at once, each with its line and key.

Examples:
  pafd -s -n ux:pathfinder                       one domain, log to the terminal
  pafd -m ux:home+tcp:*:4711                     one domain, two sockets
  pafd -f /etc/pafd.conf -l debug                from a file, with more detail
`;
}
