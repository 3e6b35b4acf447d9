/** The interactive commands by name, with the text that `help TOPIC` prints for each (pafd-and-pafc.md, 3.1). */

import { columns } from "./columns.js";
import { wrap } from "./wrap.js";

/** In the order in which `help` and TAB list them: capitals first. */
export const TOPICS = {
  EOF: "EOF\nLeaves, as the end of the input does. Published services become orphans.",
  clients: "clients\nLists all clients of the server, this one included.",
  gateways: `gateways
Lists the gateways of the domain: host, name and state, what each has counted and dropped and why, and its last error. \
Orphan: the program that ran it has gone.`,
  hello: "hello\nSays hello again and prints the protocol version.",
  help: "help [topic]\nLists the commands, or explains one. ? is short for help.",
  id: "id\nPrints this client's id.",
  ping: "ping\nPrints how long the server took to answer.",
  publish: `publish [service-id] <generation> <ttl> [<name> <value>]...
Publishes a service, or changes it (then the generation must rise). With an odd number of words the first is the \
service id; with an even number an id is made up and printed. A value that reads as a decimal integer is one; \
|42| is the text 42; a name that is repeated has several values. Quotes and backslashes work as in a shell.`,
  quit: "quit\nLeaves. Published services become orphans.",
  services: `services [filter]
Lists the services that match the filter, or all. A filter with blanks stands in quotes: services '(name=a b)'`,
  subscribe: `subscribe [filter]
Prints a line for each service that matches now, and for each that appears, changes or disappears.`,
  subscriptions: "subscriptions\nLists all subscriptions of all clients.",
  track: `track
Answers the server's queries from now on, so that it keeps this connection though nothing is typed (version 3 only).
track query
Asks the server for a sign of life and prints how long that took.
track verbose
track quiet
Says so, or does not, each time a query of the server has been answered.`,
  unpublish: "unpublish <service-id>\nWithdraws a service, whoever published it.",
  unsubscribe: "unsubscribe <subscription-id>\nEnds a subscription of this client.",
  version: "version\nPrints the protocol versions: known, offered and in use.",
} as const;

export type CommandWord = keyof typeof TOPICS;

export const isCommandWord = (word: string): word is CommandWord => Object.hasOwn(TOPICS, word);

const NAMES = Object.keys(TOPICS);
const HEADING = "Documented commands (type help <topic>):";

/** The lines that `help` and `help TOPIC` print on a terminal of so many columns. */
export function helpLines(topic: string, width: number): string[] {
  // The last column stays free: some terminals break a line that ends in it.
  if (topic === "") return ["", HEADING, "=".repeat(HEADING.length), ...columns(NAMES, width - 1), ""];
  return isCommandWord(topic) ? wrap(TOPICS[topic], width - 1) : [`*** No help on ${topic}`];
}

/** For TAB: the names that `line` may go on with, and the part of it that they replace. */
export function completions(line: string): [string[], string] {
  const started = /^\s*(?:(?:help\s|\?)\s*)?(\w*)$/.exec(line)?.[1];
  return started === undefined ? [[], line] : [NAMES.filter((name) => name.startsWith(started)), started];
}
