/** A program that has left its domain ends by itself: whatever the link was doing, nothing keeps the process alive. */

import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { Authority, opensslMissing } from "../support/certificates.js";
import { startPafd, withFolder } from "../support/pafd.js";
import { endSoon, freshName, PythonPeer, pythonMissing, serve } from "../support/transport-peers.js";
import { soon } from "./live-domain.js";
import { compile, Program } from "./program.js";

test.after(endSoon);

/**
 * Attaches, waits until its link is in a state, or for a line; leaves; and prints what keeps the process alive then,
 * besides the pipes to this test.
 */
const LEAVER = compile(`
  import { attach } from "./src/client/index.ts";
  const [how, what, state, tls] = process.argv.slice(2);
  process.on("unhandledRejection", (error) => console.log("unhandled", error));
  process.on("warning", (warning) => console.log("warning", warning));
  const controller = new AbortController();
  const servers = [{ address: what, ...(tls ? { tls: JSON.parse(tls) } : {}) }];
  const domain = attach(what.includes(":") ? { servers } : what, { signal: controller.signal });
  for (let i = 0; i < 100; i++) domain.publish({ i });
  domain.subscribe(undefined, () => {});
  const reading = (async () => { for await (const _ of domain.matches()); })();
  const turns = async (count) => { for (let i = 0; i < count; i++) await new Promise(setImmediate); };
  (async () => {
    while (state !== "none" && domain.links[0]?.state !== state) await new Promise((go) => setTimeout(go, 2));
    if (state === "none") await turns(50);
    if (state === "operational") {
      console.log("operational");
      await new Promise((go) => process.stdin.once("data", go));
      process.stdin.destroy();
    }
    const began = performance.now();
    if (how === "close") await domain.close();
    else if (how === "close, given up") await domain.close({ signal: AbortSignal.timeout(100) });
    else if (how === "abandon") domain.abandon();
    else controller.abort();
    const ms = performance.now() - began;
    await reading;
    await turns(20);
    // A file that is being read, of the domain, is let go of when it has been.
    while (process.getActiveResourcesInfo().some((name) => /^(FSReq|FileHandle|CloseReq)/.test(name))) await turns(1);
    const left = process.getActiveResourcesInfo().filter((name) => !["PipeWrap", "Immediate"].includes(name));
    console.log(JSON.stringify({ left, links: domain.links.length }));
    console.log("ms", Math.round(ms));
  })();
`);

const WAYS = ["close", "abandon", "abort"] as const;
const PATIENT = { PAF_RECONNECT_MIN: "60", PAF_RECONNECT_MAX: "60", PAF_IDLE_MIN: "60", PAF_RESCAN: "60" };
const CLEAN = /^\{"left":\[\],"links":0\}\nms \d+\n$/;

async function leaves(program: Program, output = CLEAN): Promise<number> {
  const end = await soon(program.ends(), "the program's end");
  assert.match(end.output, output, end.output);
  assert.is(end.code, 0);
  return Number(/ms (\d+)/.exec(end.output)![1]);
}

const leaver = (how: string, address: string, state: string, env: Record<string, string> = {}, ...more: string[]) =>
  new Program(LEAVER, { args: [how, address, state, ...more], env: { ...PATIENT, ...env } });

for (const how of WAYS) {
  test(`${how}: while it waits to try again`, async () => {
    await leaves(leaver(how, "tcp:127.0.0.1:1", "waiting"));
  });

  test(`${how}: while the server says nothing to the hello`, async () => {
    const mute = await serve("tcp:127.0.0.1:0");
    await leaves(leaver(how, mute.address, "greeting"));
    mute.close();
  });

  test(`${how}: while the domain file is not there, or names no server`, async () => {
    await withFolder(async (folder) => {
      await leaves(leaver(how, "nothing", "none", { PAF_DOMAINS: folder }));
      writeFileSync(join(folder, "empty"), "");
      await leaves(leaver(how, "empty", "none", { PAF_DOMAINS: folder }));
    });
  });
}

const noPython = pythonMissing();
if (noPython) console.log(`skipped: leaving while connecting: ${noPython}`);
else {
  test("close, abandon, abort: while the connection is being made", async () => {
    // Its queue of connections is full: the kernel does not answer any more.
    const full = new PythonPeer(`
s = socket.socket(); s.bind(("127.0.0.1", 0)); s.listen(0)
say(str(s.getsockname()[1]))
waiting = [socket.socket() for _ in range(4)]
for w in waiting: w.setblocking(False); w.connect_ex(s.getsockname())
say("full"); wait()
`);
    const [port] = await full.says(2);
    for (const how of WAYS) await leaves(leaver(how, `tcp:127.0.0.1:${port}`, "connecting"));
    await full.kill();
  });
}

const noOpenssl = opensslMissing();
if (noOpenssl) console.log(`skipped: leaving in a TLS handshake: ${noOpenssl}`);
else {
  test("close, abandon, abort: in the TLS handshake", async () => {
    const authority = new Authority("leaving");
    const identity = authority.issue("client");
    const mute = await serve("tcp:127.0.0.1:0");
    const tls = JSON.stringify({ ...identity, tc: authority.cert });
    for (const [done, how] of WAYS.entries()) {
      const program = leaver(how, mute.address.replace("tcp:", "tls:"), "connecting", {}, tls);
      await leaves(program);
      assert.ok(mute.accepted.length <= done + 1);
    }
    mute.close();
  });
}

for (const [how, longestMs] of [
  // 0.5 s + 1 ms for each of 100 services, and room for a machine that does much else.
  ["close", 5_000],
  ["close, given up", 5_000],
  ["abandon", 5_000],
] as const) {
  test(`${how}: from a frozen server (a real one, stopped)`, async () => {
    const address = `ux:${freshName()}`;
    const pafd = await startPafd([address]);
    try {
      const program = leaver(how, address, "operational");
      await program.says("operational");
      pafd.child.kill("SIGSTOP");
      program.tell();
      const ms = await leaves(program, /^operational\n\{"left":\[\],"links":0\}\nms \d+\n$/);
      console.log(`${how}: after ${ms} ms`);
      assert.ok(ms < longestMs, `${ms} ms`);
      if (how === "close") assert.ok(ms >= 590, `${ms} ms: it waits for the server to take back 100 services`);
    } finally {
      pafd.child.kill("SIGCONT");
      await pafd.kill();
    }
  });
}

/** A resolver that never answers, in a network of its own. The system's asks twice, 5 s each, unless RES_OPTIONS says so. */
const DEAF = `ip link set lo up; f=$(mktemp); echo "nameserver 127.0.0.1" > $f; mount --bind $f /etc/resolv.conf; rm $f;
python3 -c 'import socket, sys, os
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(("127.0.0.1", 53))
os.set_inheritable(s.fileno(), True); os.execvp(sys.argv[1], sys.argv[1:])' "$@"`;
const UNSHARE = ["unshare", "--net", "--mount", "--propagation", "private", "sh", "-c", DEAF, "sh"];
const unshared = spawnSync(UNSHARE[0]!, [...UNSHARE.slice(1), "true"]);
const cannot =
  unshared.status === 0 ? undefined : `namespaces are not allowed here: ${unshared.stderr ?? unshared.error}`;
if (cannot && process.env.CI === "true") throw new Error(`${cannot}, and CI skips nothing`);
if (cannot) console.log(`skipped: leaving while a name is resolved: ${cannot}`);
else {
  test("close, abandon, abort: while a name is being resolved, for which the system alone keeps the process", async () => {
    for (const how of WAYS) {
      const program = new Program(LEAVER, {
        args: [how, "tcp:nobody.example.com:1", "connecting"],
        env: { ...PATIENT, RES_OPTIONS: "timeout:1 attempts:1" },
        under: UNSHARE,
      });
      // getaddrinfo() can not be cancelled; not even process.exit() gets past it.
      await leaves(program, /^\{"left":\["GetAddrInfoReqWrap"\],"links":0\}\nms \d+\n$/);
    }
  });
}

test.run();
