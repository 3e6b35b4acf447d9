/** `--check`: what is wrong with a file and with the files that it names; real files, no socket. */

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { checkConfig } from "../../../src/daemon/config/check.js";
import { readConfigFile } from "../../../src/daemon/config/config-file.js";
import { Authority, certificateFile, openssl, opensslMissing, tlsDirectory } from "../../support/certificates.js";

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

const missing = opensslMissing();
if (missing) console.log(`skipped: what is in TLS files: ${missing}`);
const withOpenssl = missing ? test.skip : test;

withOpenssl("TLS files are read as the socket would read them", () => {
  const authority = new Authority("check");
  const { cert, key } = authority.issue("server");
  const other = authority.issue("other");
  const encrypted = certificateFile("encrypted.pem");
  openssl("ec", "-in", key, "-aes128", "-passout", "pass:x", "-out", encrypted);
  const directory = tlsDirectory("defaults", { cert, key }, authority.cert);
  const crl = authority.revocationList();
  const socket = (files: object, address = "tls:*:1") =>
    `${QUIET}domains: [{sockets: [ux:a, {addr: '${address}', tls: ${JSON.stringify(files)}}]}]`;
  const at = "domains[0].sockets[1]";
  const before = process.env.XCM_TLS_CERT;
  try {
    process.env.XCM_TLS_CERT = directory;
    const ok = ["f: OK"];
    assert.equal(check(socket({})).lines, ok);
    assert.equal(check(`${QUIET}domains: [{sockets: ['utls:*:1', 'tls:*:2']}]`).lines, ok);
    assert.equal(check(socket({ cert, key, tc: authority.cert, crl })).lines, ok);
    for (const [files, expected] of [
      [{ key: other.key }, `.tls.key: key file "${other.key}": it is not the key of the first certificate in`],
      [{ key: encrypted }, `.tls.key: key file "${encrypted}": it is encrypted`],
      [{ cert: key }, `.tls.cert: certificate file "${key}": there is no certificate in it`],
      [{ tc: key }, `.tls.tc: file of trusted certificates "${key}": there is no certificate in it`],
      [{ crl: cert }, `.tls.crl: file of revocation lists "${cert}": there is no revocation list in it`],
      [{ cert: other.cert }, `.addr: key file "${join(directory, "key.pem")}": it is not the key`],
    ] as const) {
      for (const address of ["tls:*:1", "utls:*:1"]) {
        const { good, lines } = check(socket(files, address));
        assert.not(good);
        assert.is(lines.length, 1, lines.join("\n"));
        assert.ok(lines[0].startsWith(`f:2: ${at}${expected}`), lines[0]);
      }
    }
    process.env.XCM_TLS_CERT = path("gone");
    const [line] = check(`${QUIET}domains: [{sockets: ['tls:*:1']}]`).lines;
    assert.is(
      line,
      `f:2: domains[0].sockets[0]: certificate file "${path("gone/cert.pem")}": it does not exist (ENOENT)`,
    );
  } finally {
    if (before === undefined) delete process.env.XCM_TLS_CERT;
    else process.env.XCM_TLS_CERT = before;
  }
});

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
