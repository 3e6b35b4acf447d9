/** The command line of pafc: what is understood, and the exact words for what is not. */

import { test } from "uvu";
import * as assert from "uvu/assert";
import { parseCommandLine, USAGE } from "../../src/cli/command-line.js";
import { UsageError } from "../../src/cli/usage-error.js";

const BENCH_USAGE = [
  "bench takes the numbers of services and of subscriptions, as in: pafc ADDR bench 1000 1000",
  "(It loads the server, and all its clients see the services: mind what you run it against.)",
];
const COMMANDS = "services, subscriptions, clients, gateways, publish, unpublish, subscribe, ping, top, bench";
const SIGN = "Error parsning command line: option";

/** Command line (words separated by blanks), and the lines of the error. */
const WRONG: readonly (readonly [string, ...string[]])[] = [
  ["", ...USAGE],
  ["-l domain", ...USAGE],
  ["-a domain domain", ...USAGE],
  ["-a", "Domain is missing."],
  ["-n -1 domain", "-n must be an integer from 0 to 65535, not '-1'."],
  ["-n x domain ping", "-n must be an integer from 0 to 65535, not 'x'."],
  ["-n", `${SIGN} -n requires argument.`],
  ["--json ux:a", "--json needs a command; the interactive client has tables."],
  ["ux:a frobnicate", `Unknown command 'frobnicate'; accepted are ${COMMANDS}.`],
  ["ux:a constructor", `Unknown command 'constructor'; accepted are ${COMMANDS}.`],
  ["-z ux:a ping", `${SIGN} -z not recognized.`],
  ["--zzz ux:a ping", `${SIGN} --zzz not recognized.`],
  ["--toString ux:a ping", `${SIGN} --toString not recognized.`],
  ["ux:a ping -z", `${SIGN} -z not recognized.`],
  ["ux:a services -c 1", `${SIGN} -c not recognized.`],
  ["ux:a services -p 2", `${SIGN} -p must stand before the command.`],
  ["ux:a services --client-id 2", `${SIGN} --client-id must stand before the command.`],
  ["-i", `${SIGN} -i requires argument.`],
  ["ux:a ping -c", `${SIGN} -c requires argument.`],
  ["--json=yes ux:a ping", `${SIGN} --json must not have an argument.`],
  ["-p 1 ux:a ping", "Protocol version 1 is not supported."],
  ["-p 4 ux:a ping", "Protocol version 4 is not supported."],
  ["-p x ux:a ping", "Protocol version x is not supported."],
  ["-i zz ux:a ping", "'zz' is not a valid id (hexadecimal, 0 to 7fffffffffffffff)."],
  ["-i 8000000000000000 ux:a ping", "'8000000000000000' is not a valid id (hexadecimal, 0 to 7fffffffffffffff)."],
  ["ux:a unpublish -- -1", "'-1' is not a valid id (hexadecimal, 0 to 7fffffffffffffff)."],
  ["ux:a unpublish", "Service id is missing: pafc ADDR unpublish HEX"],
  [
    "ux:a unpublish 1 2",
    "Too many arguments: unpublish takes at most 1, but got '2' too (quote what has blanks or parentheses).",
  ],
  ["ux:a ping 1", "Too many arguments: ping takes none, but got '1' too (quote what has blanks or parentheses)."],
  ["--timeout 0 ux:a ping", "--timeout must be a number of seconds above 0, at most 2147483, not '0'."],
  ["--timeout 1e3 ux:a ping", "--timeout must be a number of seconds above 0, at most 2147483, not '1e3'."],
  ["ux:a ping -c 0", "-c must be an integer from 1 to 1000000000, not '0'."],
  ["ux:a ping -i 99999999", "-i must be a number of seconds above 0, at most 2147483, not '99999999'."],
  ["ux:a publish --ttl -5 a=1", "--ttl must be an integer from 0 to 9223372036854775807, not '-5'."],
  [
    "ux:a publish --generation 9223372036854775808",
    "--generation must be an integer from 0 to 9223372036854775807, not '9223372036854775808'.",
  ],
  ["ux:a top x", "Too many arguments: top takes none, but got 'x' too (quote what has blanks or parentheses)."],
  ["--json ux:a top", "top draws on a terminal; JSON comes from services, subscriptions, clients and subscribe."],
  ["ux:a top --interval 0", "--interval must be a number of seconds above 0, at most 2147483, not '0'."],
  ["ux:a bench", ...BENCH_USAGE],
  ["ux:a bench 5", ...BENCH_USAGE],
  ["services ux:a", "The server comes first, then the command: pafc ux:a services"],
  ["ux:a bench 5 x", "SUBSCRIPTIONS must be an integer from 0 to 1000000, not 'x'."],
  ["ux:a bench 1000001 5", "SERVICES must be an integer from 0 to 1000000, not '1000001'."],
  [
    "ux:a bench 1 2 3",
    "Too many arguments: bench takes at most 2, but got '3' too (quote what has blanks or parentheses).",
  ],
  ["ux:a bench 1 1 --clients 10001", "--clients must be an integer from 0 to 10000, not '10001'."],
  ["ux:a bench 1 1 --seconds 5", "--seconds says how long --clients load the server; give --clients too."],
  [
    "ux:a bench 1 1 --clients 1 --seconds 0",
    "--seconds must be a number of seconds above 0, at most 2147483, not '0'.",
  ],
  ["ux:a publish name", "'name' is not a property; NAME=VALUE is accepted."],
  [
    "ux:a publish n=9223372036854775808",
    "Property 'n': 9223372036854775808 is not a 64-bit integer (-9223372036854775808 to 9223372036854775807); " +
      "|9223372036854775808| is a string.",
  ],
  [
    "ux:a subscriptions (a=b)",
    "subscriptions takes no argument, but got '(a=b)'; services and subscribe take a filter.",
  ],
  ["ux:a clients x", "clients takes no argument, but got 'x'; services and subscribe take a filter."],
  ["ux:a services (name=)", "Invalid filter: empty value at character 6.", "  (name=)", "        ^"],
  ["ux:a subscribe (&(a=b)", 'Invalid filter: "&" with fewer than two operands at character 1.', "  (&(a=b)", "   ^"],
  [
    "ux:a subscribe (\x1b=b)\n)",
    "Invalid filter: text after the closing parenthesis at character 5.",
    "  (\\x1b=b)\\n)",
    "          ^",
  ],
];

test("each wrong command line is told in its own words", () => {
  for (const [words, ...lines] of WRONG) {
    try {
      parseCommandLine(words === "" ? [] : words.split(" "));
      assert.unreachable(words);
    } catch (error) {
      assert.instance(error, UsageError, `${words}: ${error}`);
      assert.equal((error as UsageError).lines, lines, words);
    }
  }
});

test("a long filter is shown around its error only", () => {
  try {
    parseCommandLine(["ux:a", "services", `(a=${"x".repeat(4000)}(${"y".repeat(2000)})`]);
    assert.unreachable();
  } catch (error) {
    const [, shown, caret] = (error as UsageError).lines;
    assert.is(shown, `  …${"x".repeat(60)}(${"y".repeat(59)}…`);
    assert.is(caret, `  ${" ".repeat(61)}^`);
  }
});

const RUN = { kind: "run", server: "ux:a", timeoutSeconds: 10, json: false };
const PUBLISH = { name: "publish", generation: 0n, ttlSeconds: 30n, leave: false };

const RIGHT: readonly (readonly [readonly string[], object])[] = [
  [["-h"], { kind: "help" }],
  [["ux:a", "publish", "--help"], { kind: "help" }],
  [["--version"], { kind: "version" }],
  [["-l"], { kind: "list-domains" }],
  [["-a", "home"], { kind: "addresses", domain: "home" }],
  [["-a", "-i", "zz", "home"], { kind: "addresses", domain: "home" }],
  [["ux:a"], RUN],
  [["-n", "2", "-p3", "-i2a", "ux:a"], { ...RUN, serverIndex: 2, protocolVersion: 3, clientId: 0x2an }],
  [["-n", "1", "ux:a", "clients"], { ...RUN, serverIndex: 1, command: { name: "clients" } }],
  [["ux:a", "services"], { ...RUN, command: { name: "services" } }],
  [["ux:a", "services", "(å=*)"], { ...RUN, command: { name: "services", filter: "(å=*)" } }],
  [["ux:a", "subscribe", "(a=b)"], { ...RUN, command: { name: "subscribe", filter: "(a=b)" } }],
  [["ux:a", "clients", "--json"], { ...RUN, json: true, command: { name: "clients" } }],
  [["ux:a", "gateways"], { ...RUN, command: { name: "gateways" } }],
  [
    ["-i", "0xFF", "-p", "2", "--json", "--timeout", "1.5", "ux:a", "subscriptions"],
    {
      ...RUN,
      clientId: 255n,
      protocolVersion: 2,
      timeoutSeconds: 1.5,
      json: true,
      command: { name: "subscriptions" },
    },
  ],
  [
    ["--timeout", "1", "ux:a", "subscriptions", "--timeout", ".5"],
    { ...RUN, timeoutSeconds: 0.5, command: { name: "subscriptions" } },
  ],
  [["ux:a", "-i1", "ping"], { ...RUN, clientId: 1n, command: { name: "ping", count: 1, intervalSeconds: 1 } }],
  [
    ["-i", "1", "ux:a", "ping", "-i", "0.2", "-c", "3"],
    { ...RUN, clientId: 1n, command: { name: "ping", count: 3, intervalSeconds: 0.2 } },
  ],
  [["ux:a", "top"], { ...RUN, command: { name: "top", intervalSeconds: 2 } }],
  [["ux:a", "top", "--interval", "0.5"], { ...RUN, command: { name: "top", intervalSeconds: 0.5 } }],
  [
    ["ux:a", "bench", "5", "0", "--clients", "7", "--seconds", "0.5"],
    { ...RUN, command: { name: "bench", services: 5, subscriptions: 0, clients: 7, seconds: 0.5 } },
  ],
  [
    ["ux:a", "ping", "--interval", "0.5", "--count=7"],
    { ...RUN, command: { name: "ping", count: 7, intervalSeconds: 0.5 } },
  ],
  [
    ["ux:a", "unpublish", "7fffffffffffffff"],
    { ...RUN, command: { name: "unpublish", serviceId: 0x7fff_ffff_ffff_ffffn } },
  ],
  [["ux:a", "publish"], { ...RUN, command: { ...PUBLISH, properties: new Map() } }],
  [
    ["ux:a", "publish", "--id", "1f", "--generation", "9007199254740993", "--ttl", "0", "--leave", "--", "-a=b"],
    {
      ...RUN,
      command: {
        name: "publish",
        serviceId: 0x1fn,
        generation: 9007199254740993n,
        ttlSeconds: 0n,
        leave: true,
        properties: new Map([["-a", ["b"]]]),
      },
    },
  ],
  [
    [
      "ux:a",
      "publish",
      "n=007",
      "n=-5",
      "n=|42|",
      "n=4.2",
      "e=",
      "b=||",
      "q=a=b",
      "min=-9223372036854775808",
      "=x",
      "z=-0",
    ],
    {
      ...RUN,
      command: {
        ...PUBLISH,
        properties: new Map<string, (string | bigint)[]>([
          ["n", [7n, -5n, "42", "4.2"]],
          ["e", [""]],
          ["b", [""]],
          ["q", ["a=b"]],
          ["min", [-(2n ** 63n)]],
          ["", ["x"]],
          ["z", [0n]],
        ]),
      },
    },
  ],
];

test("what is understood", () => {
  for (const [argv, expected] of RIGHT) assert.equal(parseCommandLine(argv), expected, argv.join(" "));
});

test.run();
