import { test } from "uvu";
import * as assert from "uvu/assert";
import { DEFAULT_CONFIG, loadConfig } from "../../src/daemon/config/config.js";
import { describeConfig } from "../../src/daemon/config/describe.js";
import { OPTIONS } from "../../src/daemon/option-table.js";
import { pafdHelp, parsePafdOptions } from "../../src/daemon/options.js";

const FILES: Readonly<Record<string, string>> = {
  good: "domains: [{name: a, sockets: [ux:file]}]\nlog: {console: true, filter: error}\nresources: {total: {clients: 9}}",
  other: "domains: [{name: b, sockets: [ux:other]}]",
  gateway: "domains: [{sockets: [ux:file]}]\ngateways: [{type: mdns}]",
  log: "domains: [{sockets: []}]\nlog: {log_file: f, log_file_backup: 1, log_file_max_size: 2, syslog_socket: /f, facility: ftp}",
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
  assert.equal(DEFAULT_CONFIG.resources.total, {});
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
  ["-b many ux:a", "Backup file count must be an integer."],
  ["-b 1.5 ux:a", "Backup file count must be an integer."],
  ["-b -1 ux:a", "invalid backup file count: '-1' (valid values: 0 to 1000)"],
  ["-b 1001 ux:a", "invalid backup file count: '1001' (valid values: 0 to 1000)"],
  ["-x 1MB ux:a", "Backup file max size must be an integer."],
  ["-x 0 ux:a", "invalid backup file max size: '0' (valid values: 1 or a number above)"],
  ["-y local8 ux:a", /^invalid log facility: 'local8' \(valid values: auth authpriv .* local6 local7\)$/.source],
  ["-y DAEMON ux:a", /^invalid log facility: 'DAEMON'/.source],
  ["--log-file= ux:a", "invalid log file: '' (valid values: the name of a file)"],
  ["--syslog-socket= ux:a", "invalid syslog socket: '' (valid values: the name of a file)"],
  ["--hook= ux:a", "invalid hook: '' (valid values: the name of a file)"],
  ["-b many -x 0 -h", "Backup file count must be an integer."],
  ...["-b", "-o", "-r", "-u", "-x", "-y", "--check"].map(
    (option) => [option, `${PARSING} ${option} requires argument.`] as const,
  ),
  ...["--check good ux:a", "-s --check good", "--check good -h", "--check good --check other"].map(
    (line) => [line, `${PARSING} --check goes alone: pafd --check FILE.`] as const,
  ),
  [
    "-f good -g tcp:nowhere",
    `${PARSING} --gateway-only: address "tcp:nowhere": the port is missing; accepted is "tcp:HOST:PORT".`,
  ],
  ["-f good -g ux:a+ux:a", `${PARSING} --gateway-only: servers[1] (ux:a): the same address twice.`],
  [
    "-f good -g a/b",
    `${PARSING} --gateway-only: "a/b" is neither the name of a domain file nor the address of a server.`,
  ],
  ["--print-config nonsense", /^address "nonsense": there is no ":"; accepted are "ux:NAME"/.source],
  ["--print-config ux:a ux:a", '"ux:a" is also the address of domains[0].sockets[0]'],
  ["--print-config -l loud ux:a", `invalid filter level: 'loud' ${LEVELS}`],
  ["--print-config -f bad", /log\.console: 2/.source, /log\.filter: "loud"/.source],
  ["-l loud --print-schema", `invalid filter level: 'loud' ${LEVELS}`],
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
  ["--print-schema -h", "print"],
  ["-h --print-schema", "help"],
  ["-s --print-example -l loud", "print"],
  ["--print-config -h", "help"],
] as const) {
  test(`pafd ${line} gives ${kind}`, () => assert.is(parse(line).kind, kind));
}

test("the help names every option once, and fits a terminal", () => {
  const help = pafdHelp();
  for (const [name, { short }] of Object.entries(OPTIONS)) {
    const row = new RegExp(`^ +${short ? `-${short}, ` : ""}--${name}\\b.* {2,}[A-Z].*\\.$`, "gm");
    assert.is(help.match(row)?.length, 1, name);
  }
  for (const line of help.split("\n")) assert.ok(line.length <= 80, line);
});

/** The log's file, backups, size, syslog socket, facility. */
const LOGS: readonly (readonly [string, string])[] = [
  ["ux:a", "- 0 1000000 /dev/log daemon"],
  ["-o x ux:a", "x 0 1000000 /dev/log daemon"],
  ["-o x -o y ux:a", "y 0 1000000 /dev/log daemon"],
  ["-o x -b 3 -x 9 ux:a", "x 3 9 /dev/log daemon"],
  ["-b 3 ux:a", "- 3 1000000 /dev/log daemon"],
  ["-b +3 -x +9 ux:a", "- 3 9 /dev/log daemon"],
  ["-b -0 ux:a", "- 0 1000000 /dev/log daemon"],
  ["-u /s -y local3 ux:a", "- 0 1000000 /s local3"],
  ["-yuser -u/s ux:a", "- 0 1000000 /s user"],
  ["--log-file=x --log-backups=1 --log-size=2 --syslog-socket=/s --facility=ntp ux:a", "x 1 2 /s ntp"],
  ["-f log", "f 1 2 /f ftp"],
  ["-o x -b 0 -x 9 -u /s -y user -f log", "x 0 9 /s user"],
];
for (const [line, expected] of LOGS) {
  test(`pafd ${line} logs as it says`, () => {
    const { file = "-", fileBackups, fileMaxBytes, syslogSocket, facility } = run(line).log;
    assert.is(`${file} ${fileBackups} ${fileMaxBytes} ${syslogSocket} ${facility}`, expected);
  });
}

test("-r is no setting of the file; the last one counts", () => {
  const command = parse("-r a.mjs -r b.mjs ux:a");
  assert.ok(command.kind === "run");
  assert.is(command.hook, "b.mjs");
  assert.not("hook" in parse("ux:a"));
});

test("--check only names the file", () => {
  assert.equal(parse("--check bad"), { kind: "check", fileName: "bad" });
});

test("--print-config prints what the other options make, wherever it stands; without domains, too", () => {
  const printed = (line: string) => {
    const command = parse(line);
    if (command.kind !== "print") throw new Error(JSON.stringify(command));
    return loadConfig(command.text, "printed");
  };
  assert.equal(printed("--print-config -f good -l debug -c 3"), run("-f good -l debug -c 3"));
  assert.equal(printed("-m ux:a+tls:*:4711 --print-config"), run("-m ux:a+tls:*:4711"));
  assert.equal(printed("--print-config --demo"), run("--demo"));
  assert.equal(printed("--print-config"), DEFAULT_CONFIG);
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

test("the start line shows what a gateway reads, writes and publishes, and no secret of it", () => {
  const text = `domains: [{sockets: [ux:x]}]
gateways:
  - type: mqtt
    url: "mqtts://h"
    user: bob
    password: hunter2
    client_id: me
    tls: {ca: /ca}
    kinds: {valve: {on_will: orphan}}
    clear_stale: true
    presence: {name: attic}
    mirror: [{filter: '(kind=lamp)'}]
    max_packet: 128
    conventions: [native, homeassistant]
    ask: true
    mappings: [{name: house, announce: "house/{room}", id: "{room}", properties: {name: "{/name}"},
      ask: {topic: t, payload: hunter3}}]
  - {type: federation, url: "mqtt://h", name: site, board: b1, user: eve, password: hunter4, max_boards: 3}
  - {type: mdns, publish: [{filter: "(a=1)"}], gateway_name: g, max_published: 5, names_file: /n}
`;
  const command = parsePafdOptions(["-f", "x"], () => text);
  if (command.kind !== "run") throw new Error(JSON.stringify(command));
  const line = describeConfig(command.config);
  for (const shown of [
    "'password': '(not shown)', 'client_id': 'me', 'tls': {'ca': '/ca'}",
    "'kinds': {'valve': {'on_will': 'orphan'}}",
    "'clear_stale': true, 'presence': {'name': 'attic', 'priority': 10, 'directory': 'shared'}",
    "'max_packet': 128, 'conventions': ['native', 'homeassistant'], 'mappings': ['house'], 'ask': true}",
    "'name': 'site', 'board': 'b1', 'heartbeat': 60, 'max_boards': 3, 'max_services': 10000}",
    "'publish': ['(a=1)'], 'gateway_name': 'g', 'max_published': 5, 'names_file': '/n'}",
  ]) {
    assert.ok(line.includes(shown), `${shown}\n${line}`);
  }
  assert.not.match(line, /hunter/);
});

test.run();
