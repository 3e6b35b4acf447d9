/**
 * The command line of pafc (pafd-and-pafc.md, 3): options, address and command to an `Invocation`. Nothing is opened and
 * nothing printed here. Options before the command are the reference's; each command has its own behind it.
 */

import { parseArgs } from "node:util";
import { LONGEST_DELAY_SECONDS } from "../client/longest-delay.js";
import { MAX_VERSION, MIN_VERSION } from "../client/session.js";
import type { Properties } from "../core/properties.js";
import { parseFilterArgument, parseInteger, parseProperties, parseSeconds } from "./arguments.js";
import { parseId } from "./ids.js";
import { UsageError } from "./usage-error.js";

export type Command =
  | { readonly name: "services"; readonly filter?: string }
  | { readonly name: "subscribe"; readonly filter?: string }
  | { readonly name: "subscriptions" }
  | { readonly name: "clients" }
  | { readonly name: "gateways" }
  | { readonly name: "unpublish"; readonly serviceId: bigint }
  | { readonly name: "ping"; readonly count: number; readonly intervalSeconds: number }
  | { readonly name: "top"; readonly intervalSeconds: number }
  | {
      readonly name: "bench";
      /** How many there are while operations are timed. */
      readonly services: number;
      readonly subscriptions: number;
      /** Clients that load the server at the same time; 0: none. */
      readonly clients: number;
      readonly seconds: number;
    }
  | {
      readonly name: "publish";
      /** Absent: one is made up. */
      readonly serviceId?: bigint;
      readonly generation: bigint;
      readonly ttlSeconds: bigint;
      readonly properties: Properties;
      /** Leave at once, so that the service becomes an orphan. */
      readonly leave: boolean;
    };

export interface Invocation {
  readonly kind: "run";
  /** An address, or the name of a domain. */
  readonly server: string;
  /** Which server of the domain, from 0. Absent: the first, and it need not be a domain. */
  readonly serverIndex?: number;
  /** Absent: one is made up. */
  readonly clientId?: bigint;
  /** The only one to offer. Absent: all, or those of the domain file. */
  readonly protocolVersion?: number;
  readonly timeoutSeconds: number;
  readonly json: boolean;
  /** Absent: interactive. */
  readonly command?: Command;
}

/** What is asked without a server. */
export type Question =
  | { readonly kind: "help" }
  | { readonly kind: "version" }
  | { readonly kind: "list-domains" }
  | { readonly kind: "addresses"; readonly domain: string };

export const COMMANDS = [
  "services",
  "subscriptions",
  "clients",
  "gateways",
  "publish",
  "unpublish",
  "subscribe",
  "ping",
  "top",
  "bench",
] as const;
type CommandName = (typeof COMMANDS)[number];
export const isCommandName = (word: string): boolean => COMMANDS.some((name) => name === word);

interface Option {
  readonly short?: string;
  readonly argument?: true;
}
type Options = Readonly<Record<string, Option>>;

const ANYWHERE: Options = { json: {}, timeout: { argument: true }, help: { short: "h" } };
const BEFORE_COMMAND: Options = {
  ...ANYWHERE,
  "client-id": { short: "i", argument: true },
  protocol: { short: "p", argument: true },
  version: {},
  "list-domains": { short: "l" },
  addresses: { short: "a" },
  "server-index": { short: "n", argument: true },
};

const OF_COMMAND: Readonly<Record<CommandName, Options>> = {
  services: ANYWHERE,
  subscriptions: ANYWHERE,
  clients: ANYWHERE,
  gateways: ANYWHERE,
  unpublish: ANYWHERE,
  subscribe: ANYWHERE,
  ping: { ...ANYWHERE, count: { short: "c", argument: true }, interval: { short: "i", argument: true } },
  top: { ...ANYWHERE, interval: { argument: true } },
  bench: { ...ANYWHERE, clients: { argument: true }, seconds: { argument: true } },
  publish: {
    ...ANYWHERE,
    id: { argument: true },
    generation: { argument: true },
    ttl: { argument: true },
    leave: {},
  },
};

const DEFAULT_TIMEOUT = "10";
/** Services and subscriptions, and clients, of one benchmark: what a process can hold. */
const MOST_IN_BENCH = 1_000_000n;
const MOST_CLIENTS = 10_000n;

/** `argv` without node and script. Throws a `UsageError`. */
export function parseCommandLine(argv: readonly string[]): Invocation | Question {
  const at = commandIndex(argv);
  const before = splitWords(argv.slice(0, at), BEFORE_COMMAND);
  const question = parseQuestion(before, argv[at]);
  if (question) return question;
  const [server] = before.words;
  if (server === undefined) throw new UsageError(USAGE);
  const word = argv[at];
  const name = COMMANDS.find((known) => known === word);
  if (name === undefined && word !== undefined) {
    if (isCommandName(server) && word.includes(":")) {
      throw new UsageError([`The server comes first, then the command: pafc ${word} ${server}`]);
    }
    throw new UsageError([`Unknown command '${word}'; accepted are ${COMMANDS.join(", ")}.`]);
  }
  const after = name && splitWords(argv.slice(at + 1), OF_COMMAND[name], BEFORE_COMMAND);
  if (after?.values.has("help")) return { kind: "help" };
  const values = new Map([...before.values, ...(after?.values ?? [])]);
  const json = values.has("json");
  if (name === undefined && json) throw new UsageError(["--json needs a command; the interactive client has tables."]);
  const clientId = values.get("client-id");
  const index = values.get("server-index");
  const protocol = values.get("protocol");
  if (name === "top" && json) {
    throw new UsageError(["top draws on a terminal; JSON comes from services, subscriptions, clients and subscribe."]);
  }
  return {
    kind: "run",
    server,
    ...(index === undefined ? {} : { serverIndex: Number(parseInteger("-n", index, 0n, MOST_SERVERS)) }),
    ...(clientId === undefined ? {} : { clientId: parseId(clientId) }),
    ...(protocol === undefined ? {} : { protocolVersion: parseVersion(protocol) }),
    timeoutSeconds: parseSeconds("--timeout", values.get("timeout") ?? DEFAULT_TIMEOUT, LONGEST_DELAY_SECONDS),
    json,
    ...(name && after ? { command: parseCommand(name, after) } : {}),
  };
}

export const USAGE = [
  "Usage: pafc [OPTIONS] ADDR|DOMAIN                        interactive",
  `       pafc [OPTIONS] ADDR|DOMAIN ${COMMANDS.join("|")} [ARGUMENTS]`,
  "       pafc -a DOMAIN | -l | -h | --version              (pafc -h tells more)",
];

/** More than a domain file can hold. */
const MOST_SERVERS = 65_535n;

function parseQuestion({ values, words }: Split, command: string | undefined): Question | undefined {
  if (values.has("help")) return { kind: "help" };
  if (values.has("version")) return { kind: "version" };
  if (values.has("list-domains")) {
    if (words.length > 0) throw new UsageError(USAGE);
    return { kind: "list-domains" };
  }
  if (!values.has("addresses")) return undefined;
  const [domain] = words;
  if (domain === undefined) throw new UsageError(["Domain is missing."]);
  if (command !== undefined) throw new UsageError(USAGE);
  return { kind: "addresses", domain };
}

interface Split {
  readonly values: ReadonlyMap<string, string>;
  readonly words: readonly string[];
}

function tokensOf(args: readonly string[], options: Options) {
  return parseArgs({
    args: [...args],
    strict: false, // the texts of the errors are ours
    allowPositionals: true,
    tokens: true,
    options: Object.fromEntries(
      Object.entries(options).map(([name, { short, argument }]) => [
        name,
        { type: argument ? "string" : "boolean", ...(short ? { short } : {}) } as const,
      ]),
    ),
  }).tokens;
}

/** Where the command stands: the second word that is no option. The length of `argv` if there is none. */
function commandIndex(argv: readonly string[]): number {
  const words = tokensOf(argv, BEFORE_COMMAND).filter(({ kind }) => kind === "positional");
  return words[1]?.index ?? argv.length;
}

/** Options and words, checked against what is known here. `elsewhere`: options that belong in front of the command. */
function splitWords(args: readonly string[], options: Options, elsewhere: Options = {}): Split {
  const values = new Map<string, string>();
  const words: string[] = [];
  // (sic: pafd-and-pafc.md, 3)
  const wrong = (what: string) => new UsageError([`Error parsning command line: option ${what}.`]);
  for (const token of tokensOf(args, options)) {
    if (token.kind === "positional") words.push(token.value);
    if (token.kind !== "option") continue;
    const { name, rawName, value } = token;
    if (!Object.hasOwn(options, name)) {
      const misplaced = Object.entries(elsewhere).some(([other, { short }]) => name === other || name === short);
      throw wrong(`${rawName} ${misplaced ? "must stand before the command" : "not recognized"}`);
    }
    if (options[name].argument && value === undefined) throw wrong(`${rawName} requires argument`);
    if (!options[name].argument && value !== undefined) throw wrong(`${rawName} must not have an argument`);
    values.set(name, value ?? "");
  }
  return { values, words };
}

function parseVersion(text: string): number {
  const version = Number(text);
  if (!/^[0-9]+$/.test(text) || version < MIN_VERSION || version > MAX_VERSION) {
    throw new UsageError([`Protocol version ${text} is not supported.`]);
  }
  return version;
}

function parseCommand(name: CommandName, { values, words }: Split): Command {
  switch (name) {
    case "services":
    case "subscribe":
      atMost(1, name, words);
      return { name, ...(words[0] === undefined ? {} : { filter: parseFilterArgument(words[0]) }) };
    case "subscriptions":
    case "clients":
    case "gateways":
      if (words.length > 0) {
        throw new UsageError([
          `${name} takes no argument, but got '${words[0]}'; services and subscribe take a filter.`,
        ]);
      }
      return { name };
    case "unpublish":
      if (words[0] === undefined) throw new UsageError(["Service id is missing: pafc ADDR unpublish HEX"]);
      atMost(1, name, words);
      return { name, serviceId: parseId(words[0]) };
    case "ping":
      atMost(0, name, words);
      return {
        name,
        count: Number(parseInteger("-c", values.get("count") ?? "1", 1n, 1_000_000_000n)),
        intervalSeconds: parseSeconds("-i", values.get("interval") ?? "1", LONGEST_DELAY_SECONDS),
      };
    case "top":
      atMost(0, name, words);
      return {
        name,
        intervalSeconds: parseSeconds("--interval", values.get("interval") ?? "2", LONGEST_DELAY_SECONDS),
      };
    case "bench":
      atMost(2, name, words);
      if (words.length < 2) {
        throw new UsageError([
          "bench takes the numbers of services and of subscriptions, as in: pafc ADDR bench 1000 1000",
          "(It loads the server, and all its clients see the services: mind what you run it against.)",
        ]);
      }
      if (values.has("seconds") && !values.has("clients")) {
        throw new UsageError(["--seconds says how long --clients load the server; give --clients too."]);
      }
      return {
        name,
        services: Number(parseInteger("SERVICES", words[0], 0n, MOST_IN_BENCH)),
        subscriptions: Number(parseInteger("SUBSCRIPTIONS", words[1], 0n, MOST_IN_BENCH)),
        clients: Number(parseInteger("--clients", values.get("clients") ?? "0", 0n, MOST_CLIENTS)),
        seconds: parseSeconds("--seconds", values.get("seconds") ?? "10", LONGEST_DELAY_SECONDS),
      };
    case "publish": {
      const id = values.get("id");
      return {
        name,
        ...(id === undefined ? {} : { serviceId: parseId(id) }),
        generation: parseInteger("--generation", values.get("generation") ?? "0"),
        ttlSeconds: parseInteger("--ttl", values.get("ttl") ?? "30"),
        properties: parseProperties(words),
        leave: values.has("leave"),
      };
    }
  }
}

function atMost(count: number, name: CommandName, words: readonly string[]): void {
  if (words.length <= count) return;
  throw new UsageError([
    `Too many arguments: ${name} takes ${count === 0 ? "none" : `at most ${count}`}, but got '${words[count]}' too ` +
      "(quote what has blanks or parentheses).",
  ]);
}
