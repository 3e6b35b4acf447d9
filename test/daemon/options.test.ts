import { test } from "uvu";
import * as assert from "uvu/assert";
import { DEFAULT_CONFIG } from "../../src/daemon/config/config.js";
import { describeConfig } from "../../src/daemon/config/describe.js";
import { pafdHelp, parsePafdOptions } from "../../src/daemon/options.js";

const FILES: Readonly<Record<string, string>> = {
  good: "domains: [{name: a, sockets: [ux:file]}]\nlog: {console: true, filter: error}\nresources: {total: {clients: 9}}",
  other: "domains: [{name: b, sockets: [ux:other]}]",
  gateway: "domains: [{sockets: [ux:file]}]\ngateways: [{type: mdns}]",
  bad: "log: {filter: loud, console: 2}",
};
const parse = (line: string) => parsePafdOptions(line === "" ? [] : line.split(" "), (name) => FILES[name]);

function run(line: string) {
  const command = parse(line);
  if (command.kind !== "run") throw new Error(`${line}: ${JSON.stringify(command)}`);
  return command.config;
}

/** Addresses per domain, console, syslog, filter, client limit. */
const RUNS: readonly (readonly [string, string])[] = [
  ["ux:a", "ux:a false true info -"],
  ["ux:a tcp:*:1", "ux:a|tcp:*:1 false true info -"],
  ["-m ux:a+tcp:*:1", "ux:a+tcp:*:1 false true info -"],
  ["-m ux:a+ux:b -m ux:c ux:d ux:e", "ux:d|ux:e|ux:a+ux:b|ux:c false true info -"],
  ["-mux:a", "ux:a false true info -"],
  ["--multi=ux:a+ux:b", "ux:a+ux:b false true info -"],
  ["-s ux:a", "ux:a true true info -"],
  ["-n ux:a", "ux:a false false info -"],
  ["-ns ux:a", "ux:a true false info -"],
  ["-nsldebug ux:a", "ux:a true false debug -"],
  ["-nsl debug ux:a", "ux:a true false debug -"],
  ["--console --no-syslog --level=debug ux:a", "ux:a true false debug -"],
  ["-l critical ux:a", "ux:a false true critical -"],
  ["-l debug -l error ux:a", "ux:a false true error -"],
  ["-c 5 ux:a", "ux:a false true info 5"],
  ["-c5 ux:a", "ux:a false true info 5"],
  ["-c +5 ux:a", "ux:a false true info 5"],
  ["-c 0 ux:a", "ux:a false true info -"],
  ["-c 7 -c 0 ux:a", "ux:a false true info -"],
  ["--clients 5 ux:a", "ux:a false true info 5"],
  ["-f good", "ux:file true true error 9"],
  ["-fgood", "ux:file true true error 9"],
  ["--file good", "ux:file true true error 9"],
  ["-f bad -f good", "ux:file true true error 9"],
  ["-f good -f other", "ux:other false true info -"],
  ["-l debug -c 3 -n -f good", "ux:file true false debug 3"],
  ["-c 0 -f good", "ux:file true true error -"],
  ["-f good ux:a", "ux:a true true error 9"],
  ["-f good -m ux:a+ux:b", "ux:a+ux:b true true error 9"],
  ["-f gateway ux:a", "ux:a false true info -"],
  ["-s -- -x", "-x true true info -"],
  ["-", "- false true info -"],
  ["--demo", "ux:pathfinder+tcp:127.0.0.1:4711 true false info -"],
  ["--demo -l debug -c 2", "ux:pathfinder+tcp:127.0.0.1:4711 true false debug 2"],
];
for (const [line, expected] of RUNS) {
  test(`pafd ${line}`, () => {
    const { domains, log, resources } = run(line);
    const addresses = domains.map(({ sockets }) => sockets.map(({ address }) => address).join("+")).join("|");
    const limit = resources.total.clients ?? "-";
    assert.is(`${addresses} ${log.console} ${log.syslog} ${log.filter} ${limit}`, expected);
  });
}

test("domains of the command line have no name and the defaults", () => {
  assert.equal(run("-f good ux:a").domains, [
    { sockets: [{ address: "ux:a" }], protocolVersion: { min: 2, max: 3 }, idleSeconds: { min: 4, max: 30 } },
  ]);
  assert.is(run("-f gateway ux:a").gateways[0].domain, 0);
});

test("options leave the defaults as they are", () => {
  run("-s -n -l debug -c 4 ux:a");
  assert.equal(DEFAULT_CONFIG.log.console, false);
  assert.equal(DEFAULT_CONFIG.resources, { total: {}, user: {} });
  assert.equal(DEFAULT_CONFIG.domains, []);
});

const PARSING = "Error parsning command line: option";
const ADVICE = "Name an address, a file with -f, or try --demo; pafd -h lists all options.";
const LEVELS = "(valid values: debug info warning error critical)";
const ERRORS: readonly (readonly [string, ...string[]])[] = [
  ["", "No domains configured.", ADVICE],
  ["-s", "No domains configured.", ADVICE],
  ["-Z", `${PARSING} -Z not recognized.`],
  ["-sZ ux:a", `${PARSING} -Z not recognized.`],
  ["-h -Z", `${PARSING} -Z not recognized.`],
  ["--frobnicate=1", `${PARSING} --frobnicate not recognized.`],
  ["--toString", `${PARSING} --toString not recognized.`],
  ["--__proto__", `${PARSING} --__proto__ not recognized.`],
  ["-l", `${PARSING} -l requires argument.`],
  ["-sl", `${PARSING} -l requires argument.`],
  ["--file", `${PARSING} --file requires argument.`],
  ["--console=yes ux:a", `${PARSING} --console must not have an argument.`],
  ["ux:a -s", `${PARSING} -s stands after the address ux:a; options come before addresses.`],
  ["-s ux:a ux:b -h", `${PARSING} -h stands after the address ux:a; options come before addresses.`],
  ["ux:a -- ux:b", `${PARSING} -- stands after the address ux:a; options come before addresses.`],
  ["-c many ux:a", "Client limit must be an integer."],
  ["-c 1.5 ux:a", "Client limit must be an integer."],
  ["-c 0x5 ux:a", "Client limit must be an integer."],
  ["-c -5 ux:a", "invalid client limit: '-5' (valid values: 0 for no limit, or a number above)"],
  ["-c 99999999999999999 ux:a", /^invalid client limit: '9+'/.source],
  ["-l loud ux:a", `invalid filter level: 'loud' ${LEVELS}`],
  ["-l INFO ux:a", `invalid filter level: 'INFO' ${LEVELS}`],
  ["-l loud -h", `invalid filter level: 'loud' ${LEVELS}`],
  ["-l loud -c many ux:a", `invalid filter level: 'loud' ${LEVELS}`],
  ["-f bad -h", /log\.console: 2 is not true or false/.source, /log\.filter: "loud" is not a filter level/.source],
  ["-h -f bad", /log\.console: 2/.source, /log\.filter: "loud"/.source],
  ["-f gateway ux:a ux:b", /gateways\[0\]\.domain: missing, and there are 2 domains/.source],
  ["--demo ux:a", `${PARSING} --demo brings its own domains; it goes neither with -f nor with addresses.`],
  ["--demo -f good", `${PARSING} --demo brings its own domains; it goes neither with -f nor with addresses.`],
  ...(["-o x", "-b 3", "-x 9", "-u /s", "-y user", "-r f", "--log-file=x"] as const).map(
    (line) => [`${line} ux:a`, `${PARSING} .*is not supported yet\\.`] as const,
  ),
];
for (const [line, ...expected] of ERRORS) {
  test(`pafd ${line} is refused`, () => {
    const command = parse(line);
    if (command.kind !== "error") throw new Error(JSON.stringify(command));
    assert.is(command.lines.length, expected.length, command.lines.join("\n"));
    for (const [i, text] of expected.entries()) {
      if (/[\\^]/.test(text)) assert.match(command.lines[i], new RegExp(text));
      else assert.is(command.lines[i], text);
    }
  });
}

test("every problem of the file is a line of its own, with the reference's prefix", () => {
  const command = parse("-f bad");
  assert.equal(command, {
    kind: "error",
    lines: [
      `Error reading configuration: bad:1: log.console: 2 is not true or false`,
      `Error reading configuration: bad:1: log.filter: "loud" is not a filter level ${LEVELS}`,
    ],
  });
});

test("a file that is not there has the reference's text; its name cannot forge a line", () => {
  assert.equal(parsePafdOptions(["-f", "/nonexistent/x\nINFO:root:all is well"]), {
    kind: "error",
    lines: [
      "Error reading configuration: [Errno 2] No such file or directory: '/nonexistent/x\\nINFO:root:all is well'",
    ],
  });
});

for (const [line, kind] of [
  ["-h", "help"],
  ["--help", "help"],
  ["-v", "version"],
  ["--version", "version"],
  ["-sv", "version"],
  ["-v -h", "version"],
  ["-v -l loud", "version"],
  ["-v -c many ux:a", "version"],
  ["-f good -h", "help"],
] as const) {
  test(`pafd ${line} gives ${kind}`, () => assert.is(parse(line).kind, kind));
}

test("the help names every option that works, fits a terminal, and none that does not", () => {
  const help = pafdHelp();
  for (const option of ["-m", "-s", "-n", "-l", "-c", "-f", "-v", "-h", "--demo"]) {
    assert.match(help, new RegExp(`^ +${option}[, ]`, "m"));
  }
  assert.not.match(help, /^ +-[obxuyr],/m);
  for (const line of help.split("\n")) assert.ok(line.length <= 80, line);
});

test("the start line is the reference's", () => {
  assert.is(
    describeConfig(run("-s -n ux:foo")),
    "domains: [{'sockets': [{'addr': 'ux:foo'}], 'protocol_version': {'min': 2, 'max': 3}, " +
      "'idle': {'min': 4, 'max': 30}}], log: { console: true, log_file: '-', syslog: false, filter: info, " +
      "facility: daemon }",
  );
});

test("the start line shows names, TLS files, limits and gateways, but no password", () => {
  const text = `domains:
  - {name: "it's", sockets: [{addr: 'tls:*:1', tls: {cert: c}}]}
resources: {total: {clients: 1, services: 2, subscriptions: 3}, user: {services: 7, clients: 9, subscriptions: 8}}
log: {log_file: /l}
gateways:
  - {type: mqtt, url: "mqtt://h", user: bob, password: hunter2}
`;
  const command = parsePafdOptions(["-f", "x"], () => text);
  if (command.kind !== "run") throw new Error(JSON.stringify(command));
  assert.is(
    describeConfig(command.config),
    "domains: [{'name': 'it\\'s', 'sockets': [{'addr': 'tls:*:1', 'tls': {'cert': 'c'}}], " +
      "'protocol_version': {'min': 2, 'max': 3}, 'idle': {'min': 4, 'max': 30}}], " +
      "log: { console: false, log_file: '/l', syslog: true, filter: info, facility: daemon }, " +
      "resources: { user: { client: 9, subscription: 8, service: 7 }, " +
      "total: { client: 1, subscription: 3, service: 2 } }, " +
      "gateways: [{'type': 'mqtt', 'domain': 0, 'url': 'mqtt://h', 'user': 'bob', 'password': '(not shown)', " +
      "'root': 'sd1', 'site': 'local', 'on_will': 'withdraw', 'max_devices': 10000}]",
  );
});

test.run();
