/** The options of pafd: how each is written, what `-h` says of it, and what it changes in the configuration. */

import { LOG_LEVELS } from "../core/log.js";
import type { Config, LogConfig } from "./config/config.js";
import { FACILITIES } from "./config/schema.js";

export interface Option {
  readonly short?: string;
  readonly argument?: string;
  readonly help: string;
  /** Throws a `UsageError`. Absent where the option is no setting of the configuration. */
  readonly apply?: (config: Config, value: string) => Config;
}

/** A wrong command line; `message` is the line to print, `advice` one more. */
export class UsageError extends Error {
  constructor(
    message: string,
    readonly advice?: string,
  ) {
    super(message);
  }
}

/** An option that changes something of the log. */
const log =
  (change: (value: string) => Partial<LogConfig>) =>
  (config: Config, value: string): Config => ({ ...config, log: { ...config.log, ...change(value) } });

export const OPTIONS: Readonly<Record<string, Option>> = {
  file: { short: "f", argument: "FILE", help: "Read this configuration file; see pafd.conf(5)." },
  multi: { short: "m", argument: "A+B+...", help: "Add one domain with several sockets (repeatable)." },
  clients: { short: "c", argument: "N", help: "Most clients per domain; 0 means no limit.", apply: limitClients },
  console: {
    short: "s",
    help: "Log to the console (standard error).",
    apply: log(() => ({ console: true })),
  },
  level: {
    short: "l",
    argument: "LEVEL",
    help: `Least level: ${LOG_LEVELS.join(" ")}.`,
    apply: log((value) => ({ filter: oneOf(LOG_LEVELS, "filter level", value) })),
  },
  "log-file": {
    short: "o",
    argument: "FILE",
    help: "Log to this file as well.",
    apply: log((value) => ({ file: fileName("log file", value) })),
  },
  "log-backups": {
    short: "b",
    argument: "N",
    help: "Rotated log files to keep; 0: no rotation.",
    apply: log((value) => ({ fileBackups: integer(value, BACKUPS) })),
  },
  "log-size": {
    short: "x",
    argument: "BYTES",
    help: "Size at which the log file is rotated.",
    apply: log((value) => ({ fileMaxBytes: integer(value, SIZE) })),
  },
  "no-syslog": {
    short: "n",
    help: "Do not log to syslog.",
    apply: log(() => ({ syslog: false })),
  },
  "syslog-socket": {
    short: "u",
    argument: "PATH",
    help: "Where syslog listens (default: /dev/log).",
    apply: log((value) => ({ syslogSocket: fileName("syslog socket", value) })),
  },
  facility: {
    short: "y",
    argument: "NAME",
    help: "Syslog facility (default: daemon).",
    apply: log((value) => ({ facility: oneOf(FACILITIES, "log facility", value) })),
  },
  hook: {
    short: "r",
    argument: "FILE",
    help: "Call this JavaScript when all domains run.",
    apply: (config, value) => {
      fileName("hook", value);
      return config;
    },
  },
  "gateway-only": {
    short: "g",
    argument: "DOMAIN",
    help: "Serve nothing: run the file's gateways in DOMAIN.",
  },
  demo: { help: "Run a domain and gateways here, to try them out." },
  check: { argument: "FILE", help: "Check a configuration file, then exit." },
  "print-config": { help: "Print the effective configuration, then exit." },
  "print-example": { help: "Print a file with every key explained, then exit." },
  "print-schema": { help: "Print a JSON Schema of the file, then exit." },
  version: { short: "v", help: "Print server and protocol versions, then exit." },
  help: { short: "h", help: "Print this text, then exit." },
};

interface WholeNumber {
  /** As the reference says it, `X must be an integer.` */
  readonly name: string;
  readonly what: string;
  readonly least: number;
  readonly most: number;
  readonly accepted: string;
}

const BACKUPS: WholeNumber = {
  name: "Backup file count",
  what: "backup file count",
  least: 0,
  most: 1000,
  accepted: "0 to 1000",
};

const SIZE: WholeNumber = {
  name: "Backup file max size",
  what: "backup file max size",
  least: 1,
  most: Number.MAX_SAFE_INTEGER,
  accepted: "1 or a number above",
};

const CLIENTS: WholeNumber = {
  name: "Client limit",
  what: "client limit",
  least: 0,
  most: Number.MAX_SAFE_INTEGER,
  accepted: "0 for no limit, or a number above",
};

function integer(text: string, { name, what, least, most, accepted }: WholeNumber): number {
  if (!/^[+-]?\d+$/.test(text)) throw new UsageError(`${name} must be an integer.`);
  const value = Number(text);
  if (value < least || value > most) throw new UsageError(`invalid ${what}: '${text}' (valid values: ${accepted})`);
  return value === 0 ? 0 : value; // no negative zero
}

function oneOf<T extends string>(values: readonly T[], what: string, text: string): T {
  const value = values.find((known) => known === text);
  if (value !== undefined) return value;
  throw new UsageError(`invalid ${what}: '${text}' (valid values: ${values.join(" ")})`);
}

function fileName(what: string, text: string): string {
  if (text !== "" && !text.includes("\0")) return text;
  throw new UsageError(`invalid ${what}: '${text}' (valid values: the name of a file)`);
}

function limitClients(config: Config, value: string): Config {
  const limit = integer(value, CLIENTS);
  const { clients: _, ...others } = config.resources.total;
  const total = limit === 0 ? others : { ...others, clients: limit };
  return { ...config, resources: { ...config.resources, total } };
}
