/** `--check`: what is wrong with a file and with the files that it names; real files, no socket. */

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { checkConfig } from "../../../src/daemon/config/check.js";
import { readConfigFile } from "../../../src/daemon/config/config-file.js";

const folder = mkdtempSync(join(tmpdir(), "pafd-check-"));
test.after(() => rmSync(folder, { recursive: true }));
writeFileSync(join(folder, "there"), "x");
mkdirSync(join(folder, "folder"));
const path = (name: string) => join(folder, name);

const check = (text: string) => checkConfig("f", () => text.replaceAll("@", `${folder}/`));
const QUIET = "log: {syslog: false}\n";
const DOMAIN = "domains: [{sockets: [ux:a]}]\n";

test("a good file is OK, and nothing else is said", () => {
  assert.equal(check(`${QUIET}${DOMAIN}`), { good: true, lines: ["f: OK"] });
});

const MISSING = (name: string) => `[Errno 2] No such file or directory: '${path(name)}'`;
const BAD: readonly (readonly [string, string, string])[] = [
  [
    "a TLS file",
    "domains: [{sockets: [ux:a, {addr: 'tls:*:1', tls: {cert: @there, key: @gone}}]}]",
    `domains[0].sockets[1].tls.key: ${MISSING("gone")}`,
  ],
  [
    "a TLS file below the older name",
    "domains: [{addrs: [{addr: 'utls:*:1', tls: {crl: @gone}}]}]",
    `domains[0].addrs[0].tls.crl: ${MISSING("gone")}`,
  ],
  [
    "a folder for a TLS file",
    "domains: [{sockets: [{addr: 'tls:*:1', tls: {tc: @folder}}]}]",
    `domains[0].sockets[0].tls.tc: [Errno 21] Is a directory: '${path("folder")}'`,
  ],
  [
    "a broker's authorities",
    `${DOMAIN}gateways: [{type: mqtt, url: "mqtts://h", tls: {ca: @gone}}]`,
    `gateways[0].tls.ca: ${MISSING("gone")}`,
  ],
  [
    "a broker's password",
    `${DOMAIN}gateways: [{type: mqtt, url: "mqtt://h", user: u, password_file: @gone}]`,
    `gateways[0].password_file: ${MISSING("gone")}`,
  ],
];
for (const [what, text, problem] of BAD) {
  test(`${what} that is not there is a problem with line and key`, () => {
    const lines = text.split("\n").length;
    assert.equal(check(`${QUIET}${text}`), { good: false, lines: [`f:${lines + 1}: ${problem}`] });
  });
}

const LOGS: readonly (readonly [string, string | undefined])[] = [
  ["log_file: @there", undefined],
  ["log_file: @new", undefined],
  ["log_file: @gone/new", `log.log_file: [Errno 2] No such file or directory: '${path("gone/new")}'`],
  ["log_file: @folder", `log.log_file: [Errno 21] Is a directory: '${path("folder")}'`],
  ["log_file: @there/new", `log.log_file: [Errno 20] Not a directory: '${path("there/new")}'`],
];
for (const [keys, problem] of LOGS) {
  test(`${keys} ${problem ? "cannot" : "can"} be written`, () => {
    const { good, lines } = check(`log: {syslog: false, ${keys}}\n${DOMAIN}`);
    assert.is(good, problem === undefined);
    assert.equal(lines, [problem ? `f:1: ${problem}` : "f: OK"]);
  });
}

test("what may still be meant is a warning before the OK", () => {
  assert.equal(check(`log:\n  log_file_backup: 3\n  syslog_socket: @gone\ndomains: []\n`), {
    good: true,
    lines: [
      "f:2: log.log_file_backup: warning: 3 has no effect without log_file",
      `f:3: log.syslog_socket: warning: ${MISSING("gone")} (pafd does not start without it, unless syslog is off)`,
      "f:4: domains: warning: there is none (the command line then has to give addresses)",
      "f: OK",
    ],
  });
});

test("mistakes and missing files are told together, in the order of the lines", () => {
  const text = `domains:
  - sockets: [{addr: "tls:*:1", tls: {cert: @gone}}, "ux a"]
log:
  syslog: false
  filter: loud
  log_file: @gone/l
gateways: [{type: mqtt, url: "mqtt://h", user: u, password_file: @gone, keepalive: 1}]
`;
  const { good, lines } = check(text);
  assert.not(good);
  assert.equal(
    lines.map((line) => /^f:\d+: [^:]+/.exec(line)?.[0]),
    [
      "f:2: domains[0].sockets[1]",
      "f:2: domains[0].sockets[0].tls.cert",
      "f:5: log.filter",
      "f:6: log.log_file",
      "f:7: gateways[0].keepalive",
      "f:7: gateways[0].password_file",
    ],
  );
});

test("a file that cannot be read, or is no YAML, is told as such", () => {
  assert.equal(checkConfig(path("gone"), readConfigFile), { good: false, lines: [MISSING("gone")] });
  const { good, lines } = check("log: [");
  assert.not(good);
  assert.match(lines[0], /^f:1: column 7: not valid YAML: /);
});

test.run();
