/** Every option of `pafd -h`, used by a real process. A new option without a row here fails. */

import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { parse } from "yaml";
import { loadConfig } from "../../src/daemon/config/config.js";
import { exampleConfig } from "../../src/daemon/config/example.js";
import { editorSchema } from "../../src/daemon/config/json-schema.js";
import { boundAddress, Client, eventually, Pafd, runPafd, withFolder } from "../support/pafd.js";
import { SyslogPeer } from "../support/syslog-peer.js";
import { endSoon, freshName } from "../support/transport-peers.js";

test.after(endSoon);

/** What pafd prints that ends well. */
function answer(...args: string[]): string {
  const { status, stdout, stderr } = runPafd(args);
  assert.is(status, 0, stdout + stderr);
  assert.is(stderr, "");
  return stdout;
}

/** Clients come until the log file has been rotated twice, with one old file to keep and 2000 bytes at most. */
async function rotates(...options: string[]): Promise<void> {
  await withFolder(async (folder) => {
    const file = join(folder, "log");
    const name = `ux:${freshName()}`;
    await running(["-sn", "-o", file, ...options, name], async (pafd) => {
      await pafd.says("started with configuration");
      const first = "Server version";
      const rotatedTwice = () => existsSync(`${file}.1`) && !readFileSync(`${file}.1`, "utf8").startsWith(first);
      for (let i = 0; i < 200 && !rotatedTwice(); i++) (await Client.connect(name, i)).connection.close();
      assert.ok(rotatedTwice());
      assert.equal(readdirSync(folder).sort(), ["log", "log.1"]);
      assert.ok(statSync(`${file}.1`).size <= 2000);
    });
  });
}

/** Runs `body` beside a syslog; `starts` waits there for the line of a start, with this priority. */
async function withSyslog(
  body: (socket: string, starts: (priority: number) => Promise<void>) => Promise<void>,
): Promise<void> {
  await withFolder(async (folder) => {
    const syslog = await SyslogPeer.start(join(folder, "syslog"));
    const starts = async (priority: number) => {
      const line = new RegExp(`^<${priority}>pafd\\[\\d+\\]: Server version .* started with configuration`);
      await syslog.readUntil((texts) => texts.some((text) => line.test(text)));
    };
    try {
      await body(syslog.path, starts);
    } finally {
      await syslog.kill();
    }
  });
}

async function running(args: readonly string[], body: (pafd: Pafd) => Promise<void>): Promise<void> {
  const pafd = new Pafd(args);
  try {
    await body(pafd);
  } finally {
    await pafd.kill();
  }
}

/** By the long name; each gets the option as `-h` shows it, short if it has a short form. */
const USES: Readonly<Record<string, (option: string) => Promise<void> | void>> = {
  file: (option) =>
    withFolder(async (folder) => {
      const file = join(folder, "pafd.conf");
      writeFileSync(file, `domains: [{sockets: ["ux:${freshName()}"]}]\nlog: {console: true, syslog: false}`);
      await running([option, file], (pafd) => pafd.says("started with configuration"));
    }),
  multi: async (option) => {
    const name = `ux:${freshName()}`;
    await running(["-sn", option, `${name}+tcp:127.0.0.1:0`], async (pafd) => {
      const second = await boundAddress(pafd, "tcp:127.0.0.1:0");
      await pafd.says("started with configuration");
      for (const [i, address] of [name, second].entries()) (await Client.connect(address, i)).connection.close();
    });
  },
  clients: async (option) => {
    const name = `ux:${freshName()}`;
    await running(["-sn", option, "1", name], async (pafd) => {
      await pafd.says("resources: { total: { client: 1 } }");
      const first = await Client.connect(name, 1);
      const second = Client.connect(name, 2); // waits for the first one to go
      first.connection.close();
      (await second).connection.close();
    });
  },
  console: (option) => running([option, "-n", `ux:${freshName()}`], (pafd) => pafd.says(/^INFO:root:Server version/m)),
  level: async (option) => {
    const name = `ux:${freshName()}`;
    await running(["-sn", option, "debug", name], async (pafd) => {
      await pafd.says("started with configuration");
      const client = await Client.connect(name, 0xbeef);
      await pafd.says(/^DEBUG:root:.*0xbeef/m);
      client.connection.close();
    });
  },
  "log-file": (option) =>
    withFolder(async (folder) => {
      const file = join(folder, "pafd.log");
      await running(["-sn", option, file, `ux:${freshName()}`], async (pafd) => {
        await pafd.says("started with configuration");
        const line = /^Server version .* started with configuration/m;
        await eventually(
          () => readFileSync(file, "utf8"),
          (text) => line.test(text),
          "the log file",
        );
      });
    }),
  "log-backups": (option) => rotates(option, "1", "-x", "2000"),
  "log-size": (option) => rotates(option, "2000", "-b", "1"),
  "no-syslog": async (option) => {
    await running([option, "-s", "-u", "/nonexistent/log", `ux:${freshName()}`], async (pafd) => {
      await pafd.says("started with configuration");
      assert.match(pafd.log, /syslog: false/);
    });
  },
  "syslog-socket": (option) =>
    withSyslog(async (socket, starts) => {
      await running([option, socket, `ux:${freshName()}`], () => starts(30)); // daemon, info
    }),
  facility: (option) =>
    withSyslog(async (socket, starts) => {
      await running([option, "local3", "-u", socket, `ux:${freshName()}`], () => starts(158));
    }),
  // What it does stands in gateway-only.test.ts.
  "gateway-only": (option) => assert.match(runPafd([option, "ux:a"]).stdout, /^No gateways configured\./),
  hook: (option) =>
    withFolder(async (folder) => {
      const file = join(folder, "hook.mjs");
      writeFileSync(file, "export default (domains, { log }) => log.info(() => 'hooked ' + domains.length);");
      await running(["-sn", option, file, `ux:${freshName()}`, `ux:${freshName()}`], (pafd) => pafd.says("hooked 2"));
    }),
  // It runs with the names of a demonstration in demo.test.ts, in a network of its own; here, what it would run.
  demo: (option) => {
    const { domains, gateways } = loadConfig(answer(option, "--print-config"), "printed");
    assert.is(domains[0].sockets[0].address, "ux:pathfinder");
    assert.is(gateways.length, 2);
  },
  check: (option) =>
    withFolder((folder) => {
      const [good, bad] = ["good", "bad"].map((name) => join(folder, name));
      writeFileSync(good, "domains: [{sockets: [ux:a]}]\nlog: {syslog: false}");
      writeFileSync(
        bad,
        "domains: [{sockets: [ux:a]}]\nlog: {syslog: off, colour: red}\nresources: {total: {clients: -1}}",
      );
      assert.is(answer(option, good), `${good}: OK\n`);
      const { status, stdout, stderr } = runPafd([option, bad]);
      assert.equal({ status, stderr }, { status: 1, stderr: "" });
      const lines = stdout.trimEnd().split("\n");
      assert.is(lines.length, 2, stdout);
      assert.ok(lines[0].startsWith(`${bad}:2: log.colour: unknown key`), stdout);
      assert.ok(lines[1].startsWith(`${bad}:3: resources.total.clients: -1 is not a resource limit`), stdout);
    }),
  "print-config": (option) =>
    withFolder((folder) => {
      const file = join(folder, "printed");
      writeFileSync(file, answer(option, "-c", "5", "-m", "ux:a+tcp:*:4711", "tls:*:4712"));
      assert.is(loadConfig(readFileSync(file, "utf8"), "printed").domains.length, 2);
      assert.is(answer("-f", file, option), readFileSync(file, "utf8"), "printed from what was printed");
    }),
  "print-example": (option) => assert.is(answer(option), exampleConfig()),
  "print-schema": (option) => assert.equal(JSON.parse(answer(option)), JSON.parse(JSON.stringify(editorSchema()))),
  version: (option) => assert.match(answer(option), /^Server version: \S+\nProtocol version\(s\): 2 3\n$/),
  help: (option) => assert.match(answer(option), /^Usage: pafd/m),
};

const HELP = runPafd(["-h"]).stdout;
const SHOWN = [...HELP.matchAll(/^ {2}(?:-([a-z]), | {4})--([a-z-]+)(?= )/gm)];

test("the help shows options, and each has a use here", () => {
  assert.ok(SHOWN.length > 15, HELP);
  assert.equal(SHOWN.map(([, , name]) => name).sort(), Object.keys(USES).sort());
});

for (const [, short, name] of SHOWN) {
  test(`--${name} by its long name`, async () => USES[name]?.(`--${name}`));
  if (short) test(`-${short}`, async () => USES[name]?.(`-${short}`));
}

test("what --print-config prints serves clients", async () => {
  await withFolder(async (folder) => {
    const file = join(folder, "printed");
    const path = join(folder, "socket");
    writeFileSync(file, answer("--print-config", "-sn", `uxf:${path}`));
    assert.is((parse(readFileSync(file, "utf8")) as { log: { console: boolean } }).log.console, true);
    await running(["-f", file], async (pafd) => {
      await pafd.says("started with configuration");
      assert.ok(existsSync(path));
      const client = await Client.connect(`uxf:${path}`, 1);
      assert.match(await client.ask("ping", 1), /complete/);
      client.connection.close();
    });
  });
});

test.run();
