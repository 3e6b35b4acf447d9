import { test } from "uvu";
import * as assert from "uvu/assert";
import { type Config, loadConfig } from "../../../src/daemon/config/config.js";
import { problemsOf } from "./problems-of.js";

const DOMAIN = "domains: [{sockets: [ux:a]}]\n";
const mqtt = (keys: string) => `${DOMAIN}gateways: [{type: mqtt, url: "mqtt://h", ${keys}}]`;
const mdns = (keys: string) => `${DOMAIN}gateways: [{type: mdns, ${keys}}]`;
const domain = (keys: string) => `domains: [{sockets: [ux:a], ${keys}}]`;
const socket = (value: string) => `domains: [{sockets: [${value}]}]`;
const log = (keys: string) => `log: {${keys}}`;
const options = (config: Config) => config.gateways[0].options as unknown as Record<string, unknown>;

/** Right values: text, where to look, what must be there. */
const RIGHT: readonly (readonly [string, (config: Config) => unknown, unknown])[] = [
  ["{}", (c) => c.domains, []],
  ["domains:", (c) => c.domains, []],
  ["log: ~", (c) => c.log.syslog, true],
  [socket(""), (c) => c.domains[0].sockets, []],
  ["domains: [{addrs: [ux:a]}]", (c) => c.domains[0].sockets, [{ address: "ux:a" }]],
  [socket("{addr: ux:a}"), (c) => c.domains[0].sockets, [{ address: "ux:a" }]],
  [
    socket("{addr: 'tls:*:4711', tls: {cert: c, key: k, tc: t, crl: r}}"),
    (c) => c.domains[0].sockets,
    [{ address: "tls:*:4711", tls: { cert: "c", key: "k", tc: "t", crl: "r" } }],
  ],
  [socket("tcp:*:0, tcp:*:0"), (c) => c.domains[0].sockets.length, 2],
  [socket('"utls:[::1]:4711"'), (c) => c.domains[0].sockets[0].address, "utls:[::1]:4711"],
  [domain("name: home"), (c) => c.domains[0].name, "home"],
  [domain("name: yes"), (c) => c.domains[0].name, "yes"],
  [domain("name: ~"), (c) => "name" in c.domains[0], false],
  [domain(""), (c) => c.domains[0].protocolVersion, { min: 2, max: 3 }],
  [domain("protocol_version: {min: 3}"), (c) => c.domains[0].protocolVersion, { min: 3, max: 3 }],
  [domain("protocol_version: {max: 2}"), (c) => c.domains[0].protocolVersion, { min: 2, max: 2 }],
  [domain(""), (c) => c.domains[0].idleSeconds, { min: 4, max: 30 }],
  [domain("idle: {min: 1, max: 1}"), (c) => c.domains[0].idleSeconds, { min: 1, max: 1 }],
  [domain("idle: {max: 4}"), (c) => c.domains[0].idleSeconds, { min: 4, max: 4 }],
  [domain("idle: {max: ~}"), (c) => c.domains[0].idleSeconds, { min: 4, max: 30 }],
  [domain("max_idle_time: 60"), (c) => c.domains[0].idleSeconds, { min: 4, max: 60 }],
  ["{}", (c) => c.resources, { total: {}, user: {} }],
  ["resources: {total: {clients: 0}}", (c) => c.resources.total, { clients: 0 }],
  [
    "resources: {user: {clients: 1, services: 2, subscriptions: 9007199254740991}}",
    (c) => c.resources.user,
    { clients: 1, services: 2, subscriptions: Number.MAX_SAFE_INTEGER },
  ],
  [
    "{}",
    (c) => c.log,
    {
      ...{ console: false, fileBackups: 0, fileMaxBytes: 1_000_000, syslog: true, syslogSocket: "/dev/log" },
      ...{ facility: "daemon", filter: "info" },
    },
  ],
  [log("console: true, syslog: false"), (c) => [c.log.console, c.log.syslog], [true, false]],
  [log("console: yes, syslog: Off"), (c) => [c.log.console, c.log.syslog], [true, false]],
  [log("log_file: /x, log_file_backup: 3"), (c) => [c.log.file, c.log.fileBackups], ["/x", 3]],
  [log("log_file_max_size: 0x10"), (c) => c.log.fileMaxBytes, 16],
  [log("syslog_socket: /s, facility: local3"), (c) => [c.log.syslogSocket, c.log.facility], ["/s", "local3"]],
  [log("filter: critical"), (c) => c.log.filter, "critical"],
  [
    mdns(""),
    (c) => c.gateways,
    [
      {
        type: "mdns",
        domain: 0,
        options: { types: "all", scope: "local", maxInstances: 4096, maxRecordsPerInterface: 16384 },
      },
    ],
  ],
  [mdns("types: all"), (c) => options(c).types, "all"],
  [mdns("types: [_ipp._tcp, _coap._UDP]"), (c) => options(c).types, ["_ipp._tcp", "_coap._UDP"]],
  [mdns("interfaces: [eth0, wlan0]"), (c) => options(c).interfaces, ["eth0", "wlan0"]],
  [mdns("scope: attic, max_instances: 1"), (c) => [options(c).scope, options(c).maxInstances], ["attic", 1]],
  [
    mqtt(""),
    (c) => c.gateways,
    [
      {
        type: "mqtt",
        domain: 0,
        options: {
          ...{ url: "mqtt://h", root: "sd1", site: "local", keepaliveSeconds: 60, onLoss: "withdraw" },
          ...{ onLossOfKind: {}, clearStale: false, maxDevices: 10_000 },
        },
      },
    ],
  ],
  [mqtt("user: u, password: p"), (c) => [options(c).user, options(c).password], ["u", "p"]],
  [mqtt("user: u, password_file: /p"), (c) => options(c).passwordFile, "/p"],
  [mqtt("root: plant/sd1, site: hall, client_id: x"), (c) => options(c).root, "plant/sd1"],
  [mqtt("keepalive: 5"), (c) => options(c).keepaliveSeconds, 5],
  [mqtt("keepalive: 65535"), (c) => options(c).keepaliveSeconds, 65_535],
  [
    mqtt("on_will: orphan, kinds: {lamp: {on_will: withdraw}}"),
    (c) => [options(c).onLoss, options(c).onLossOfKind],
    ["orphan", { lamp: "withdraw" }],
  ],
  [mqtt("clear_stale: true, max_devices: 1"), (c) => [options(c).clearStale, options(c).maxDevices], [true, 1]],
  [
    `${DOMAIN}gateways: [{type: mqtt, url: "mqtts://h:1", tls: {ca: a, cert: c, key: k}}]`,
    (c) => options(c).tls,
    { ca: "a", cert: "c", key: "k" },
  ],
  [
    "domains: [{name: a, sockets: []}, {name: b, sockets: []}]\ngateways: [{type: mdns, domain: b}]",
    (c) => c.gateways[0].domain,
    1,
  ],
  ["domains: [&d {sockets: []}, *d]", (c) => c.domains.length, 2],
  ["\ufeff{}", (c) => c.domains, []],
];
for (const [text, look, expected] of RIGHT) {
  test(`${JSON.stringify(text)} is right`, () => assert.equal(look(loadConfig(text, "f")), expected));
}

/** Wrong values: text, and the problems in full. */
const WRONG: readonly (readonly [string, ...string[]])[] = [
  ["", "f:1: the file is empty (a mapping with domains, resources, log, gateways)"],
  ["~", "f:1: the file is empty (a mapping with domains, resources, log, gateways)"],
  ["- a", "f:1: a list is not a mapping (with domains, resources, log, gateways)"],
  ["domain: []", 'f:1: domain: unknown key; did you mean "domains"? (known: domains, resources, log, gateways)'],
  ["domains: ux:a", 'f:1: domains: "ux:a" is not a list of domains'],
  ["domains: [ux:a]", /domains\[0\]: "ux:a" is not a mapping/.source],
  ["domains: [~]", /domains\[0\]: null is not a mapping/.source],
  ["domains: [{}]", "f:1: domains[0].sockets: missing; needed is a list of the addresses to listen on"],
  ["domains: [{sockets: ~}]", /domains\[0\]\.sockets: missing/.source],
  ["domains: [{sockets: ux:a}]", 'f:1: domains[0].sockets: "ux:a" is not a list of sockets'],
  [
    "domains: [{sockets: [], addrs: []}]",
    'f:1: domains[0].addrs: given together with "sockets", of which it is the older name (give one of them)',
  ],
  [socket("7"), "f:1: domains[0].sockets[0]: 7 is not a socket: an address, or a mapping with addr and tls"],
  [socket("[ux:a]"), /sockets\[0\]: a list is not a socket/.source],
  [socket("{tls: {}}"), /sockets\[0\]\.addr: missing; needed is a domain address/.source],
  [socket("nonsense"), /sockets\[0\]: address "nonsense": there is no ":"/.source],
  [socket("udp:h:1"), /sockets\[0\]: address "udp:h:1": unknown transport "udp"/.source],
  [socket("tcp:h:70000"), /"70000" is not a port/.source],
  [socket("{addr: 'ux:a b'}"), /sockets\[0\]\.addr: address "ux:a b": white space/.source],
  [socket("ux:a, ux:a"), 'f:1: domains[0].sockets[1]: "ux:a" is also the address of domains[0].sockets[0]'],
  [socket("'tcp:*:5', 'tcp:0.0.0.0:5'"), /sockets\[1\]: "tcp:0\.0\.0\.0:5" is also the address/.source],
  [socket("{addr: ux:a, tls: {cert: x}}"), /\.tls: "ux" is not a transport with TLS \(valid values: tls utls\)/.source],
  [socket("{addr: 'tls:h:1', tls: ~}"), /\.tls: null is not a mapping/.source],
  [socket("{addr: 'tls:h:1', tls: {ca: x}}"), /\.tls\.ca: unknown key.*\(known: cert, key, tc, crl\)/.source],
  [socket("{addr: 'tls:h:1', tls: {crl: 1}}"), /\.tls\.crl: 1 is not a file name.*put it in quotes/.source],
  [domain("name: 42"), "f:1: domains[0].name: 42 is not text of 1 to 256 characters; put it in quotes"],
  [domain("name: ''"), /name: "" is not text/.source],
  [
    "domains: [{name: a, sockets: []}, {name: a, sockets: []}]",
    'f:1: domains[1].name: "a" is also the name of domains[0]',
  ],
  [domain("protocol_version: 3"), /protocol_version: 3 is not a mapping/.source],
  [domain("protocol_version: {min: 1}"), /min: 1 is not a protocol version \(a whole number, 2 to 3\)/.source],
  [domain("protocol_version: {max: 4}"), /max: 4 is not a protocol version/.source],
  [domain("protocol_version: {min: 3, max: 2}"), /min: 3 is above max, which is 2/.source],
  [domain("idle: 30"), /idle: 30 is not a mapping/.source],
  [domain("idle: {min: 0}"), /idle\.min: 0 is not a number of seconds/.source],
  [domain("idle: {min: 4s}"), /idle\.min: "4s" is not a number of seconds/.source],
  [domain("idle: {min: 4.0}"), /idle\.min: 4\.0 is not a number of seconds/.source],
  [domain("idle: {min: 1e1}"), /idle\.min: 1e1 is not a number of seconds/.source],
  [domain("idle: {min: true}"), /idle\.min: true is not a number of seconds/.source],
  [domain('idle: {min: "4"}'), /idle\.min: "4" is not a number of seconds/.source],
  [domain("idle: {max: 3}"), /idle\.max: 3 is below min, which is 4/.source],
  [domain("idle: {min: 5, max: 4}"), /idle\.max: 4 is below min, which is 5/.source],
  [domain("idle: {min: 31}"), /idle\.max: 30 is below min, which is 31/.source],
  [domain("idle: {min: 5}, max_idle_time: 60"), /max_idle_time: given together with "idle"/.source],
  [domain("idle: {max: 60}, max_idle_time: 60"), /max_idle_time: given together with "idle"/.source],
  [domain("max_idle_time: 3"), /max_idle_time: 3 is below idle\.min/.source],
  [
    "resources: {total: {clients: -1}}",
    "f:1: resources.total.clients: -1 is not a resource limit (a whole number, 0 or more)",
  ],
  ["resources: {total: {clients: ~}}", /clients: null is not a resource limit/.source],
  ["resources: {total: {clients: true}}", /clients: true is not a resource limit/.source],
  ["resources: {user: {services: 9007199254740993}}", /services: 9007199254740993 is not a resource limit/.source],
  ["resources: {user: {service: 1}}", /service: unknown key; did you mean "services"\?/.source],
  [log("console: 1"), "f:1: log.console: 1 is not true or false"],
  [log("console: 'yes'"), 'f:1: log.console: "yes" is not true or false'],
  [log("syslog: maybe"), /log\.syslog: "maybe" is not true or false/.source],
  [log("log_file: [a]"), /log_file: a list is not a file name/.source],
  [log("log_file_backup: -1"), /log_file_backup: -1 is not a number of files/.source],
  [log("log_file_max_size: 0"), /log_file_max_size: 0 is not a number of bytes/.source],
  [log("syslog_socket: 1"), /syslog_socket: 1 is not a file name/.source],
  [log("facility: local8"), /facility: "local8" is not a log facility \(valid values: auth .* local7\)/.source],
  [
    log("filter: loud"),
    /filter: "loud" is not a filter level \(valid values: debug info warning error critical\)/.source,
  ],
  [log("filter: INFO"), /filter: "INFO" is not a filter level/.source],
  [log("log-file: x"), /log-file: unknown key; did you mean "log_file"\?/.source],
  [`${DOMAIN}gateways: [mdns]`, /gateways\[0\]: "mdns" is not a gateway \(a mapping with type, …\)/.source],
  [`${DOMAIN}gateways: [{}]`, /gateways\[0\]\.type: missing \(valid values: mdns mqtt\)/.source],
  [`${DOMAIN}gateways: [{type: knx}]`, /type: "knx" is not a gateway type \(valid values: mdns mqtt\)/.source],
  [mdns("types: some"), /types: "some" is not a list of service types, or the word "all"/.source],
  [mdns("types: 5"), /types: 5 is not a list of service types, or the word "all"/.source],
  [mdns("types: []"), /types: the list is empty/.source],
  [mdns("types: [_ipp._tcp, ipp]"), /types\[1\]: "ipp" is not a service type \(such as/.source],
  [mdns("types: [7]"), /types\[0\]: 7 is not a DNS-SD service type/.source],
  [mdns("interfaces: eth0"), /interfaces: "eth0" is not a list of network interfaces/.source],
  [mdns("interfaces: [a/b]"), /interfaces\[0\]: "a\/b" is not a network interface name/.source],
  [mdns("max_instances: 0"), /max_instances: 0 is not a number of instances/.source],
  [mdns("scope: ''"), /scope: "" is not text/.source],
  [mdns("url: mqtt"), /url: unknown key/.source],
  [`${DOMAIN}gateways: [{type: mqtt}]`, /gateways\[0\]\.url: missing; needed is a broker address/.source],
  [`${DOMAIN}gateways: [{type: mqtt, url: 'http://h'}]`, /url: broker "http:\/\/h": expected mqtt:\/\/HOST/.source],
  [`${DOMAIN}gateways: [{type: mqtt, url: 'mqtt://h/x'}]`, /url: broker .*expected/.source],
  [`${DOMAIN}gateways: [{type: mqtt, url: 'mqtt://h:0'}]`, /url: broker .*port 0/.source],
  [mqtt("user: u, password: a, password_file: b"), /password_file: given together with "password"/.source],
  [mqtt("password: a"), /password: given without "user"/.source],
  [mqtt("password_file: a"), /password_file: given without "user"/.source],
  [mqtt("tls: {ca: x}"), /tls: given for a broker without TLS/.source],
  [`${DOMAIN}gateways: [{type: mqtt, url: 'mqtts://h', tls: {cert: c}}]`, /tls\.cert: given without "key"/.source],
  [`${DOMAIN}gateways: [{type: mqtt, url: 'mqtts://h', tls: {key: c}}]`, /tls\.key: given without "cert"/.source],
  [mqtt("root: a/#"), /root: MQTT root topic "a\/#": expected/.source],
  [mqtt("site: 'a\x07'"), /site: MQTT site .*no control characters|not valid YAML/.source],
  [mqtt("keepalive: 4"), /keepalive: 4 is not a number of seconds \(a whole number, 5 to 65535\)/.source],
  [mqtt("keepalive: 65536"), /keepalive: 65536 is not/.source],
  [mqtt("on_will: forget"), /on_will: "forget" is not .*\(valid values: withdraw orphan\)/.source],
  [mqtt("kinds: {lamp: orphan}"), /kinds\.lamp: "orphan" is not a mapping/.source],
  [mqtt("kinds: {lamp: {}}"), /kinds\.lamp\.on_will: missing; needed is/.source],
  [mqtt("kinds: {a b: {on_will: orphan}}"), /kinds\.a b: not a key of a mapping of device kinds/.source],
  [mqtt("clear_stale: 2"), /clear_stale: 2 is not true or false/.source],
  [mqtt("max_devices: 1.5"), /max_devices: 1\.5 is not a number of devices/.source],
  ["gateways: [{type: mdns}]", "f:1: gateways[0].domain: missing, and there is no domain (no domain has a name)"],
  [
    "domains: [{name: a, sockets: []}, {sockets: []}]\ngateways: [{type: mdns}]",
    "f:2: gateways[0].domain: missing, and there are 2 domains (domains with a name: a)",
  ],
  [
    `${DOMAIN}gateways: [{type: mdns, domain: x}]`,
    'f:2: gateways[0].domain: "x" is not the name of a domain (no domain has a name)',
  ],
];
for (const [text, expected] of WRONG) {
  test(`${JSON.stringify(text)} is wrong`, () => {
    const problems = problemsOf(text);
    assert.is(problems.length, 1, problems.join("\n"));
    // What begins with the file's name is the whole line, the rest a pattern.
    if (expected.startsWith("f:")) assert.is(problems[0], expected);
    else assert.match(problems[0], new RegExp(expected));
  });
}

test("all problems are reported at once, in the order of the lines, each with its own", () => {
  const text = `log:
  filter: loud
  colour: red
domains:
  - name: a
    sockets:
      - ux:a
      - ux a
    idle: {min: 5,
           max: 4}
  - name: a
    sockets: [ux:a]
resources:
  total:
    clients: many
gateways:
  - type: mdns
    types: [x]
    domain: b
`;
  assert.equal(
    problemsOf(text).map((line) => /^f:\d+: [^:]+/.exec(line)?.[0]),
    [
      "f:2: log.filter",
      "f:3: log.colour",
      "f:8: domains[0].sockets[1]",
      "f:10: domains[0].idle.max",
      "f:11: domains[1].name",
      "f:12: domains[1].sockets[0]",
      "f:15: resources.total.clients",
      "f:18: gateways[0].types[0]",
      "f:19: gateways[0].domain",
    ],
  );
});

test("problems between healthy places are reported beside those within sick ones", () => {
  const text = `domains:
  - {name: a, sockets: [ux:a], idle: {min: 5, max: 4}}
  - {name: b, sockets: [ux:b, bad]}
  - {name: b, sockets: [ux:b]}
`;
  const problems = problemsOf(text);
  assert.is(problems.length, 4, problems.join("\n"));
  assert.match(problems[0], /^f:2: domains\[0\]\.idle\.max/);
  assert.match(problems[1], /^f:3: domains\[1\]\.sockets\[1\]: address "bad"/);
  assert.match(problems[2], /^f:4: domains\[2\]\.name: "b" is also/);
  assert.match(problems[3], /^f:4: domains\[2\]\.sockets\[0\]: "ux:b" is also/);
});

test("what a mapping's keys say together is checked beside a key of it that is wrong", () => {
  const text = `domains:
  - {sockets: 5, max_idle_time: 2, name: []}
  - {name: a, sockets: [ux:a], addrs: 7}
gateways:
  - {type: mdns, domain: a, types: [http], interfaces: eth0}
  - type: mqtt
    domain: a
    url: http://broker
    password: [secret]
    password_file: p
    keepalive: 1
    tls: {cert: c, kye: k}
  - {type: mqtt, domain: a, url: "mqtt://b", user: 1, password: p, tls: {cert: c, key: 5}}
`;
  assert.equal(
    problemsOf(text).map((line) => /^f:\d+: [^:]+/.exec(line)?.[0]),
    [
      "f:2: domains[0].name",
      "f:2: domains[0].sockets",
      "f:2: domains[0].max_idle_time",
      "f:3: domains[1].addrs",
      "f:3: domains[1].addrs",
      "f:5: gateways[0].interfaces",
      "f:5: gateways[0].types[0]",
      "f:8: gateways[1].url",
      "f:9: gateways[1].password",
      "f:9: gateways[1].password",
      "f:10: gateways[1].password_file",
      "f:11: gateways[1].keepalive",
      "f:12: gateways[1].tls.kye",
      "f:12: gateways[1].tls.cert",
      "f:13: gateways[2].user",
      "f:13: gateways[2].tls.key",
      "f:13: gateways[2].tls",
    ],
  );
});

test("domains of the command line take the place of the file's, which are still checked", () => {
  const text = `${DOMAIN}gateways: [{type: mdns}]`;
  const config = loadConfig(text, "f", [
    { sockets: [{ address: "ux:x" }], protocolVersion: { min: 2, max: 3 }, idleSeconds: { min: 4, max: 30 } },
  ]);
  assert.equal(config.domains[0].sockets, [{ address: "ux:x" }]);
  assert.is(config.gateways[0].domain, 0);
  assert.is(problemsOf("domains: [{}]", 1).length, 1);
  assert.equal(problemsOf(text, 2), [
    "f:2: gateways[0].domain: missing, and there are 2 domains (no domain has a name)",
  ]);
  const named = "domains: [{name: a, sockets: []}]\ngateways: [{type: mdns, domain: a}]";
  assert.match(problemsOf(named, 1)[0], /"a" is replaced by the domains of the command line/);
});

test("no message repeats a password", () => {
  for (const text of [
    `${DOMAIN}gateways: [{type: mqtt, url: 'mqtt://bob:hunter2@host'}]`,
    `${DOMAIN}gateways: [{type: mqtt, url: 'mqtt://bob:hunter2@'}]`,
    `${DOMAIN}gateways: [{type: mqtt, url: [hunter2]}]`,
    mqtt("password: hunter2"),
    mqtt("user: u, password: {hunter2: 1}"),
    mqtt("user: u, password: [hunter2]"),
    mqtt("user: u, password: *hunter2"),
    mqtt("user: u, password: !hunter2 x"),
    mqtt("user: u, password: hunter2, password: hunter2"),
    mqtt("user: u, passwort: hunter2"),
  ]) {
    const problems = problemsOf(text).join("\n");
    assert.ok(problems.length > 0, text);
    assert.not.match(problems, /hunter2/);
  }
  assert.match(problemsOf(mqtt("user: u, password: 123456"))[0], /password: the value \(not shown\).*put it in quotes/);
});

test.run();
