/** `npm run bench -- churn`: TLS handshakes come and go by the hundred while connected clients ping, over ux and TLS. */
import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DIST, ROOT } from "../setup.mjs";
import { pinger, reportPings, sleep } from "./pings.mjs";
import { anonymousMiB, cpuNs, start } from "./process.mjs";
import { Client } from "./seqpacket.mjs";
import { clientIdentity, openTls, tlsHello } from "./tls-client.mjs";

/** Handshakes a second. */
const RATE = 200;
/** So long the server is warmed up with the same load, because V8 and OpenSSL grow once. */
const WARM_UP_SECONDS = 10;
const SETTLED_AFTER_MS = 7_000;
const SETTLE_LIMIT_MS = 30_000;

function openssl(...args) {
  const { status, stderr, error } = spawnSync("openssl", args, { encoding: "utf8" });
  if (status !== 0) throw new Error(`openssl ${args[0]}: ${error ?? stderr}`);
}

/** An authority, and a certificate for either side, in `folder`; the server's by the names XCM knows. `newKey`: options of openssl. */
function certificates(folder, newKey) {
  const file = (name) => join(folder, name);
  const request = ["req", "-newkey", ...newKey, "-nodes"];
  openssl(...request, "-x509", "-subj", "/CN=ca", "-days", "30", "-keyout", file("ca.key"), "-out", file("tc.pem"));
  writeFileSync(file("extensions"), "subjectKeyIdentifier = hash\n");
  for (const [serial, prefix] of ["", "client-"].entries()) {
    const [cert, key, csr] = [file(`${prefix}cert.pem`), file(`${prefix}key.pem`), file(`${prefix}csr.pem`)];
    openssl(...request, "-subj", `/CN=${prefix}peer`, "-keyout", key, "-out", csr);
    const issuer = ["-CA", file("tc.pem"), "-CAkey", file("ca.key"), "-set_serial", String(serial + 2), "-days", "30"];
    openssl("x509", "-req", "-in", csr, ...issuer, "-extfile", file("extensions"), "-out", cert);
  }
}

async function freePort() {
  const server = createServer();
  await new Promise((done) => server.listen(0, "127.0.0.1", done));
  const { port } = server.address();
  await new Promise((done) => server.close(done));
  return port;
}

/** Runs the load in a process of its own; resolves with what it says. */
function churn(port, folder, seconds) {
  const script = join(ROOT, "scripts/bench/churn-client.mjs");
  const args = [script, String(port), folder, String(RATE), String(seconds)];
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
  let output = "";
  child.stdout.on("data", (data) => {
    output += data;
  });
  return new Promise((resolve, reject) => {
    child.on("close", (code) =>
      code === 0 ? resolve(JSON.parse(output)) : reject(new Error(`the load ended with ${code}`)),
    );
  });
}

/** The lowest anonymous memory that garbage collections and pafd itself (5 s after a rush) lead to. */
async function settledMiB(pid) {
  let least = anonymousMiB(pid);
  for (
    let began = performance.now(), fellAt = began, now = began;
    now - fellAt < SETTLED_AFTER_MS && now - began < SETTLE_LIMIT_MS;
  ) {
    process.kill(pid, "SIGUSR2");
    await sleep(500);
    now = performance.now();
    const mib = anonymousMiB(pid);
    if (mib < least * 0.998) fellAt = now;
    least = Math.min(least, mib);
  }
  return least;
}

async function measure(name, newKey, seconds, report) {
  const folder = mkdtempSync(join(tmpdir(), "pathfinder-churn-"));
  try {
    certificates(folder, newKey);
    const port = await freePort();
    const ux = `pathfinder-churn-${process.pid}`;
    const config = join(folder, "pafd.conf");
    writeFileSync(
      config,
      `domains:
  - sockets:
      - ux:${ux}
      - tls:127.0.0.1:${port}
log: {console: true, syslog: false, filter: warning}
`,
    );
    const environment = {
      XCM_TLS_CERT: folder,
      NODE_OPTIONS: `--require="${join(ROOT, "scripts/bench/collect-garbage.cjs")}"`,
    };
    const server = await start(ux, join(DIST, "pafd"), ["-f", config], environment);
    try {
      const local = new Client(ux);
      await local.request(
        '{"ta-cmd":"hello","ta-id":0,"msg-type":"request","client-id":1,"protocol-minimum-version":2,"protocol-maximum-version":2}',
      );
      const remote = await openTls(port, clientIdentity(folder));
      await tlsHello(remote, 2);
      const clients = { ux: (text) => local.request(text), tls: (text) => remote.request(text) };
      /** Ping times of both clients while `work` goes on. */
      const pingsDuring = async (work) => {
        const running = Object.entries(clients).map(([which, request]) => [which, pinger(request)]);
        const result = await work;
        const times = {};
        for (const [which, end] of running) times[which] = await end();
        return { result, times };
      };
      await churn(port, folder, WARM_UP_SECONDS);
      const before = await settledMiB(server.pid);
      const alone = await pingsDuring(sleep(Math.min(seconds, 20) * 1000));
      const cpu = cpuNs(server.pid);
      const { result, times } = await pingsDuring(churn(port, folder, seconds));
      const cpuShare = (cpuNs(server.pid) - cpu) / 1e9 / seconds;
      const after = await settledMiB(server.pid);
      for (const which of Object.keys(clients)) {
        reportPings(report, `churn ${name}: ${which} ping`, times[which], alone.times[which], "< 50,000");
      }
      report(`churn ${name}: handshakes and hellos`, result.perSecond, "a second", { reach: String(RATE) });
      report(
        `churn ${name}: handshakes that failed`,
        result.failures.reduce((sum, [, n]) => sum + n, 0),
        "",
        { reach: "0" },
      );
      report(`churn ${name}: handshake and hello, 99 %`, result.p99, "ms");
      report(`churn ${name}: server CPU`, cpuShare * 100, "%");
      report(`churn ${name}: anonymous memory afterwards`, after, "MiB", { floor: before, reach: "≤ 1.1 × before" });
      local.close();
      remote.close();
    } finally {
      await server.stop();
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** `seconds` of churn with either kind of key. */
export async function benchChurn(seconds, report) {
  await measure("P-256", ["ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"], seconds, report);
  await measure("RSA-2048", ["rsa:2048"], seconds, report);
}
