/** dist/pafd as a process: options, start-up errors, sockets, signals, launchers, output that nobody reads (1.1 to 1.3). */

import { spawnSync } from "node:child_process";
import { chmodSync, cpSync, existsSync, mkdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import {
  boundAddress,
  Client,
  environment,
  PAFD,
  Pafd,
  runPafd,
  startPafd,
  withFolder,
  withPafd,
} from "../support/pafd.js";
import { root } from "../support/root.js";
import { endSoon, freshName } from "../support/transport-peers.js";

test.after(endSoon);

test("-v and -h answer on standard output with exit code 0", () => {
  const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  assert.equal(runPafd(["-v"]), {
    status: 0,
    stdout: `Server version: ${version}\nProtocol version(s): 2 3\n`,
    stderr: "",
  });
  const help = runPafd(["-h"]);
  assert.is(help.status, 0);
  assert.match(help.stdout, /^pafd - .*\n\nUsage:/i);
  assert.is(help.stderr, "");
});

test("a domain without sockets is served until a signal comes", async () => {
  await withFolder(async (folder) => {
    const file = join(folder, "pafd.conf");
    writeFileSync(file, "domains: [{name: later, sockets: []}]\n");
    const pafd = await startPafd(["-f", file]);
    try {
      assert.equal(await pafd.stop(), { code: 0, signal: null });
      assert.match(pafd.log, /Received SIGTERM; exiting/);
    } finally {
      await pafd.kill();
    }
  });
});

test("output that nobody reads ends nothing and complains of nothing", () => {
  const piped = spawnSync("bash", ["-c", `set -o pipefail; "${PAFD}" -h | true; "${PAFD}" -v > /dev/full`], {
    env: environment(),
    encoding: "utf8",
  });
  assert.is(piped.stderr, "");
});

for (const [args, says] of [
  [["-Z"], /^Error parsning command line: option -Z not recognized\.\n/],
  [["-n"], /^No domains configured\.\n/],
  [["-f", "/no/such/file"], /^Error reading configuration: .*\n/],
  [["-c", "x", "ux:a"], /^Client limit must be an integer\.\n/],
  [["-l", "loud", "ux:a"], /loud.*debug.*info.*warning.*error.*critical/],
] as const) {
  test(`start-up error on standard output: ${args.join(" ")}`, () => {
    const { status, stdout, stderr } = runPafd(args);
    assert.is(status, 1);
    assert.match(stdout, says);
    assert.is(stderr, "");
  });
}

test("sockets that cannot be made are logged at ERROR, with exit code 1", async () => {
  await withFolder((folder) => {
    for (const [address, says] of [
      ["nonsense", /"nonsense"/],
      ["tcp:127.0.0.1:99999", /99999/],
      ["tls:*:4711", /tls/],
      ["sctp:*:4711", /sctp/],
      [`uxf:${join(folder, "no/such/folder/socket")}`, /No such file/i],
      ["tcp:192.0.2.1:0", /192\.0\.2\.1/],
    ] as const) {
      const other = `uxf:${join(folder, "other")}`;
      const { status, stdout, stderr } = runPafd(["-s", "-n", other, address]);
      assert.is(status, 1, `${address}: ${stderr}`);
      assert.is(stdout, "");
      assert.match(stderr, /^ERROR:root:.*\n$/, address);
      assert.match(stderr, says);
      assert.not(existsSync(join(folder, "other")), "what was opened before is closed in order");
    }
  });
});

test("a second instance on the same address fails, and the first goes on", async () => {
  await withFolder(async (folder) => {
    const [ux, uxf] = [`ux:${freshName()}`, `uxf:${join(folder, "socket")}`];
    await withPafd(["-m", `${ux}+${uxf}+tcp:127.0.0.1:0`], async (pafd) => {
      const tcp = await boundAddress(pafd, "tcp:127.0.0.1:0");
      const before = await Client.connect(ux, 1);
      for (const address of [ux, uxf, tcp]) {
        const second = runPafd(["-s", "-n", address]);
        assert.is(second.status, 1);
        assert.match(second.stderr, /^ERROR:root:.*Address already in use.*\nERROR:root:Is another pafd running/i);
      }
      assert.ok(existsSync(join(folder, "socket")));
      assert.match(await before.ask("ping", 1), /complete/);
      for (const [i, address] of [ux, uxf, tcp].entries()) {
        const client = await Client.connect(address, 10 + i);
        assert.match(await client.ask("ping", 1), /complete/);
        client.connection.close();
      }
    });
  });
});

for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"] as const) {
  test(`${signal} ends it in order: exit code 0, connections closed and logged, socket files removed`, async () => {
    await withFolder(async (folder) => {
      const path = join(folder, "socket");
      const pafd = await startPafd([`uxf:${path}`]);
      try {
        assert.ok(statSync(path).isSocket());
        const clients = [await Client.connect(`uxf:${path}`, 0xa1), await Client.connect(`uxf:${path}`, 0xa2)];
        assert.equal(await pafd.stop(signal), { code: 0, signal: null });
        await Promise.all(clients.map((client) => client.ends()));
        assert.not(existsSync(path));
        assert.match(pafd.log, new RegExp(`INFO:root:.*${signal}; exiting`));
        for (const id of ["0xa1", "0xa2"]) assert.match(pafd.log, new RegExp(`INFO:root:<${id}> Disconnected`));
        assert.is(pafd.stdout, "");
      } finally {
        await pafd.kill();
      }
    });
  });
}

test("after SIGKILL the socket file is left, and the next start takes its place", async () => {
  await withFolder(async (folder) => {
    const path = join(folder, "socket");
    const killed = await startPafd([`uxf:${path}`]);
    await killed.kill();
    assert.ok(existsSync(path));
    await withPafd([`uxf:${path}`], async () => {
      const client = await Client.connect(`uxf:${path}`, 1);
      assert.match(await client.ask("ping", 1), /complete/);
      client.connection.close();
    });
  });
});

test("several domains, several sockets of one: what is published is seen in its own domain, on every socket", async () => {
  await withFolder(async (folder) => {
    const [a, b, c] = [`ux:${freshName()}`, `ux:${freshName()}`, `uxf:${join(folder, "c")}`];
    await withPafd(["-m", `${b}+${c}+tcp:127.0.0.1:0+tcp:[::1]:0`, a], async (pafd) => {
      const tcp = await boundAddress(pafd, "tcp:127.0.0.1:0");
      const tcp6 = await boundAddress(pafd, "tcp:[::1]:0");
      const publisher = await Client.connect(b, 1);
      const service = { "service-id": 7, generation: 0, "service-props": {}, ttl: 60 };
      assert.match(await publisher.ask("publish", 1, service), /complete/);
      const seen = async (address: string, id: number) => {
        const client = await Client.connect(address, id);
        await client.ask("services", 1);
        return client.messages.some((text) => text.includes('"service-id":7'));
      };
      assert.equal(
        [await seen(b, 2), await seen(c, 3), await seen(tcp, 4), await seen(tcp6, 5)],
        [true, true, true, true],
      );
      assert.is(await seen(a, 2), false, "another domain; even the client id is free there");
    });
  });
});

test("-f reads a file; its domains, limits and versions hold", async () => {
  await withFolder(async (folder) => {
    const name = freshName();
    const file = join(folder, "pafd.conf");
    writeFileSync(
      file,
      `domains:
  - name: home
    protocol_version: {min: 2, max: 2}
    sockets: [ux:${name}]
resources:
  user: {services: 1}
log: {console: true, syslog: false}
`,
    );
    const pafd = new Pafd(["-f", file]);
    try {
      await pafd.says("started with configuration");
      const client = await Client.connect(`ux:${name}`, 0xc0de);
      assert.match(client.messages[0], /"protocol-version":2}/);
      const service = (id: number) => ({ "service-id": id, generation: 0, "service-props": {}, ttl: 60 });
      assert.match(await client.ask("publish", 1, service(1)), /complete/);
      assert.match(await client.ask("publish", 2, service(2)), /insufficient-resources/);
      await pafd.says(/WARNING:root:home: <0xc0de> Refused publish: insufficient-resources/);
      assert.equal(await pafd.stop(), { code: 0, signal: null });
    } finally {
      await pafd.kill();
    }
  });
});

test("launchers run from any folder, through chains of links, from a copy, with spaces in the path", async () => {
  await withFolder(async (folder) => {
    const version = runPafd(["-v"]).stdout;
    const copy = join(folder, "a copy of dist");
    cpSync(join(root, "dist"), copy, { recursive: true });
    mkdirSync(join(folder, "bin"));
    mkdirSync(join(folder, "deeper/down"), { recursive: true });
    symlinkSync("../a copy of dist/pafd", join(folder, "bin/pafd"));
    symlinkSync("../bin/pafd", join(folder, "deeper/first"));
    symlinkSync("../first", join(folder, "deeper/down/-second"));
    symlinkSync(PAFD, join(folder, "absolute"));
    const works = (command: string, cwd: string, env: NodeJS.ProcessEnv = {}) => {
      assert.equal(runPafd(["-v"], { command, cwd, env }), { status: 0, stdout: version, stderr: "" }, command);
    };
    works(join(copy, "pafd"), "/");
    works(join(folder, "bin/pafd"), "/");
    works("./-second", join(folder, "deeper/down"));
    works("../deeper/down/-second", join(folder, "bin"));
    works(join(folder, "absolute"), folder);
    works("./pafd", copy);
    works("pafd", "/", { PATH: `${join(folder, "bin")}:${process.env.PATH}` });
    const shell = spawnSync("sh", ["pafd", "-v"], { cwd: copy, env: environment(), encoding: "utf8" });
    assert.is(shell.stdout, version);
    const pafc = spawnSync(join(copy, "pafc"), ["-h"], { cwd: "/", env: environment(), encoding: "utf8" });
    assert.match(pafc.stdout, /^pafc - /);
  });
});

test("the bundle is one file: a copy of dist/ serves with no node_modules anywhere near, all transports and gateways", async () => {
  await withFolder(async (folder) => {
    const copy = join(folder, "dist");
    cpSync(join(root, "dist"), copy, { recursive: true });
    const name = freshName();
    const file = join(folder, "pafd.conf");
    writeFileSync(
      file,
      `domains: [{sockets: ["ux:${name}", "tcp:127.0.0.1:0"]}]
gateways:
  - {type: mqtt, url: "mqtt://127.0.0.1:1"}
  - {type: mdns, interfaces: [nosuch0]}
log: {console: true, syslog: false}
`,
    );
    const pafd = new Pafd(["-f", file], { command: join(copy, "pafd"), cwd: "/", env: { NODE_PATH: "" } });
    try {
      await pafd.says("started with configuration");
      const client = await Client.connect(`ux:${name}`, 1);
      assert.match(await client.ask("ping", 1), /complete/);
      await pafd.says(/mqtt: MQTT broker/i);
    } finally {
      await pafd.kill();
    }
  });
});

test("a folder that cannot be written to is enough", async () => {
  await withFolder(async (folder) => {
    const copy = join(folder, "dist");
    cpSync(join(root, "dist"), copy, { recursive: true });
    chmodSync(copy, 0o555);
    await withPafd([`ux:${freshName()}`], async () => {}, { command: join(copy, "pafd"), cwd: folder });
    chmodSync(copy, 0o755);
  });
});

test("NODE names another Node.js; one that is not there is named in the complaint", () => {
  const { status, stderr } = runPafd(["-v"], { env: { NODE: "/no/such/node" } });
  assert.is(status, 127);
  assert.match(stderr, /\/no\/such\/node/);
});

test("an exception that nobody catches ends the process in order: ERROR with the stack, sockets closed, exit code 1", async () => {
  await withFolder(async (folder) => {
    const path = join(folder, "socket");
    for (const fault of ["throw new Error('planned')", "Promise.reject(new Error('planned'))"]) {
      const preload = join(folder, "preload.cjs");
      writeFileSync(preload, `process.once("SIGUSR2", () => { ${fault}; });`);
      const pafd = await startPafd([`uxf:${path}`], { env: { NODE_OPTIONS: `--require="${preload}"` } });
      try {
        const client = await Client.connect(`uxf:${path}`, 1);
        assert.equal(await pafd.stop("SIGUSR2"), { code: 1, signal: null });
        await client.ends();
        assert.match(pafd.log, /^ERROR:root:Internal error: Error: planned\nERROR:root: {4}at \S/m);
        assert.not(existsSync(path));
      } finally {
        await pafd.kill();
      }
    }
  });
});

test("a log whose reader has left harms nobody", async () => {
  const address = `ux:${freshName()}`;
  await withPafd(["-l", "debug", address], async (pafd) => {
    pafd.child.stderr!.destroy();
    pafd.child.stdout!.destroy();
    for (let i = 0; i < 20; i++) {
      const client = await Client.connect(address, i);
      assert.match(await client.ask("ping", 1), /complete/);
      client.connection.close();
    }
    assert.is(pafd.child.exitCode, null);
    const ended = new Promise((resolve) => pafd.child.on("exit", (code) => resolve(code)));
    pafd.child.kill("SIGTERM");
    assert.is(await ended, 0);
  });
});

test.run();
