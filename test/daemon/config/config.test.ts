import { test } from "uvu";
import * as assert from "uvu/assert";
import { loadConfig } from "../../../src/daemon/config/config.js";
import { DOMAIN, mqtt, RIGHT, WRONG } from "./cases.js";
import { problemsOf } from "./problems-of.js";

for (const [text, look, expected] of RIGHT) {
  test(`${JSON.stringify(text)} is right`, () => assert.equal(look(loadConfig(text, "f")), expected));
}

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
      "f:5: gateways[0].interfaces",
      "f:5: gateways[0].types[0]",
      "f:8: gateways[1].url",
      "f:9: gateways[1].password",
      "f:10: gateways[1].password_file",
      "f:11: gateways[1].keepalive",
      "f:12: gateways[1].tls.kye",
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
