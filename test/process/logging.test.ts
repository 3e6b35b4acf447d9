/** The logs of the real pafd: every sink at once, hostile clients, a syslog that comes and goes (pafd-and-pafc.md, 1.5). */

import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Client, eventually, PAFD, Pafd, runPafd, withFolder } from "../support/pafd.js";
import { SyslogPeer } from "../support/syslog-peer.js";
import { endSoon, freshName, pythonMissing, send } from "../support/transport-peers.js";

const test = suite("logging");
test.after(endSoon);

interface Server {
  readonly pafd: Pafd;
  readonly address: string;
  readonly folder: string;
  /** Listens where pafd sends to. */
  syslog: SyslogPeer;
}

/** A pafd that logs to console, syslog and file; `log` is YAML, FOLDER in it the folder's name. */
async function withServer(log: string, body: (server: Server) => Promise<void>): Promise<void> {
  await withFolder(async (folder) => {
    const address = `ux:${freshName()}`;
    const file = join(folder, "pafd.conf");
    const socket = join(folder, "syslog");
    const sinks = `console: true, log_file: ${folder}/logs/pafd.log, syslog_socket: ${socket}`;
    mkdirSync(join(folder, "logs"));
    writeFileSync(file, `domains: [{name: home, sockets: ["${address}"]}]\nlog: {${sinks}, ${log}}\n`);
    const syslog = await SyslogPeer.start(socket);
    const pafd = new Pafd(["-f", file]);
    const server = { pafd, address, folder, syslog };
    try {
      await pafd.says("started with configuration");
      await body(server);
    } finally {
      await pafd.kill();
      await server.syslog.kill();
    }
  });
}

/** Everything that could end a line, move a cursor, or end a datagram's text. */
const HOSTILE = "a\nERROR:root:forged\r\0<0>forged\x1b[2J\x85\u2028\u2029\u202e\t\\n";
const unsafe = /[\0-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e]/;

test("no client forges a line, in any sink, at any level", () =>
  withServer("filter: debug", async ({ pafd, address, folder, syslog }) => {
    const quoted = JSON.stringify(HOSTILE);
    const raw = HOSTILE.replaceAll("\\", "");
    const props = `{${quoted}:[${quoted}]}`;
    const request = (cmd: string, fields: string) => `{"ta-cmd":"${cmd}","ta-id":7,"msg-type":"request"${fields}}`;
    const publish = `,"service-id":1,"generation":0,"ttl":60,"service-props":`;
    const received: string[] = [];
    const messages = [
      request("publish", `${publish}${props}`),
      request("subscribe", `,"subscription-id":1,"filter":${quoted}`),
      request("services", `,"filter":"(a=${JSON.stringify(HOSTILE).slice(1)}`),
      request("ping", `,${quoted}:${quoted}`),
      `{"ta-cmd":${quoted},"ta-id":8,"msg-type":${quoted}}`,
      quoted,
      raw,
      request("publish", `${publish}{"a":["${raw}"]}`),
      Buffer.concat([
        Buffer.from('{"ta-cmd":"\n'),
        Buffer.from([0xff, 0xc0, 0x80, 0x85, 0xed, 0xa0, 0x80, 0x0a]),
        Buffer.from('"}'),
      ]),
      Buffer.from([0, 10, 13, 27, 255]),
    ];
    for (const [i, bytes] of messages.entries()) {
      const client = await Client.connect(address, 0xbad);
      send(client, Buffer.from(bytes));
      client.request("ping", 9);
      // An answer to what was legal, the end of the connection for what was not.
      await client.until(
        () => client.closes > 0 || client.messages.some((text) => text.includes('"ta-id":9,')),
        "an end",
      );
      client.connection.close();
      await pafd.says(new RegExp(`(<0xbad> Disconnected[^]*){${i + 1}}`));
      received.push(...(await syslog.read()));
    }
    const file = readFileSync(join(folder, "logs/pafd.log"), "utf8");
    for (const [sink, text] of [
      ["console", pafd.log],
      ["file", file],
    ] as const) {
      assert.not.match(text, unsafe, sink);
      assert.match(text, /forged/, "the test's texts were logged");
    }
    // Where the kernel queues 10 datagrams only, syslog may miss some.
    const ours =
      /^((DEBUG|INFO|WARNING):root:)?(home: |Server version)|^(ERROR:root:)?Syslog '.*' takes no .*: EAGAIN\.$/;
    for (const line of `${pafd.log.trimEnd()}\n${file.trimEnd()}`.split("\n")) assert.match(line, ours);
    for (const datagram of received) {
      assert.match(datagram, /^<(28|30|31)>pafd\[\d+\]: [^\0]*\0$/);
      assert.not.match(datagram.slice(0, -1), unsafe);
      assert.not.match(datagram, /\n/);
    }
    assert.match(pafd.log, "ERROR:root:forged\\r");
  }));

test("syslog is killed and started again while clients come and go", () =>
  withServer("facility: local3", async (server) => {
    const { pafd, address, folder } = server;
    const visit = async (id: number) => {
      const client = await Client.connect(address, id);
      assert.match(await client.ask("ping", 1), /complete/);
      client.connection.close();
      await pafd.says(`<0x${id.toString(16)}> Disconnected`);
    };
    const atSyslog = (text: string) => server.syslog.readUntil((texts) => texts.some((line) => line.includes(text)));
    await visit(0x100);
    assert.match((await atSyslog("<0x100> Disconnected")).join(""), `<158>pafd[${pafd.pid}]: home: `);
    await server.syslog.kill();
    for (let id = 0x200; id < 0x210; id++) await visit(id);
    assert.is(pafd.log.split("takes no more lines: ECONNREFUSED").length, 2, pafd.log);
    assert.match(pafd.log, /ERROR:root:Syslog '.*\/syslog' takes no more lines: ECONNREFUSED\./);
    assert.match(
      readFileSync(join(folder, "logs/pafd.log"), "utf8"),
      /^Syslog '.*takes no more lines: ECONNREFUSED\.$/m,
    );
    server.syslog = await SyslogPeer.start(join(folder, "syslog"));
    let id = 0x300;
    const came: string[] = [];
    // Lines try again once a second.
    while (!came.some((line) => line.includes("Disconnected"))) {
      await visit(id++);
      came.push(...(await server.syslog.read()));
      assert.ok(id < 0x300 + 100_000);
    }
    assert.match(came[0], /^<156>pafd\[\d+\]: \(\d+ log lines lost\)\0$/);
    assert.equal(await pafd.stop(), { code: 0, signal: null });
    assert.match((await server.syslog.read()).join(""), "exiting");
  }));

test("a syslog that reads nothing holds nobody up", () =>
  withServer("filter: debug", async ({ pafd, address, syslog }) => {
    const client = await Client.connect(address, 1);
    for (let i = 1; i <= 1000; i++) assert.match(await client.ask("ping", i), /complete/); // 2 lines each
    await pafd.says(/Syslog .* takes no more lines: EAGAIN/);
    // What waits comes first; the notice precedes the next line that is taken.
    for (let i = 1001, texts = await syslog.read(); !texts.some((text) => text.includes("lines lost")); i++) {
      assert.match(await client.ask("ping", i), /complete/);
      texts = await syslog.read();
      for (const text of texts) assert.match(text, /^<(31|28)>pafd\[\d+\]: (<|\(\d+ log lines lost\)\0$|home: )/);
    }
  }));

test("the file is rotated, across restarts, and its directory may go and come", () =>
  withServer("syslog: false, log_file_backup: 2, log_file_max_size: 2000", async ({ pafd, address, folder }) => {
    const logs = join(folder, "logs");
    assert.match(pafd.log, /log_file_backup: 2, log_file_max_size: 2000 }/);
    const visit = async (server: Pafd, id: number) => {
      const client = await Client.connect(address, id);
      client.connection.close();
      await server.says(`<0x${id.toString(16)}> Disconnected`);
    };
    for (let id = 1; id < 60; id++) await visit(pafd, id);
    const contents = () =>
      ["pafd.log.2", "pafd.log.1", "pafd.log"].map((name) => readFileSync(join(logs, name), "utf8"));
    assert.equal(readdirSync(logs).sort(), ["pafd.log", "pafd.log.1", "pafd.log.2"]);
    for (const text of contents()) assert.ok(text.length <= 2000 && text.endsWith("\n"));
    await pafd.stop();
    const console = pafd.log.replace(/^[A-Z]+:root:/gm, "");
    assert.ok(console.endsWith(contents().join("")), "nothing is lost between the files");

    const second = new Pafd(["-f", join(folder, "pafd.conf")]);
    try {
      await second.says("started with configuration");
      const bothRuns = /exiting\.\n(.*\n)*Server version/;
      await eventually(
        () => contents().join(""),
        (text) => bothRuns.test(text),
        "the file, a moment after the console",
      );
      rmSync(logs, { recursive: true });
      let id = 100;
      const visitUntil = async (holds: () => boolean) => {
        while (!holds()) await visit(second, id++);
      };
      await visitUntil(() => second.log.includes("pafd.log' takes no more lines: ENOENT"));
      mkdirSync(logs);
      await visitUntil(() => readdirSync(logs).length > 0);
      assert.match(readFileSync(join(logs, "pafd.log"), "utf8"), /^\(\d+ log lines lost\)\nhome: /);
      assert.is(second.log.split("takes no more lines").length, 2);
      assert.equal(await second.stop(), { code: 0, signal: null });
    } finally {
      await second.kill();
    }
  }));

test("without syslog pafd does not start, says why and what to do, and has opened nothing", () =>
  withFolder((folder) => {
    const file = join(folder, "pafd.conf");
    writeFileSync(file, `domains: [{sockets: ["uxf:${folder}/socket"]}]\nlog: {syslog_socket: ${folder}/none}\n`);
    assert.equal(runPafd(["-f", file]), {
      status: 1,
      stdout:
        `Error configuring logging: [Errno 2] No such file or directory: '${folder}/none' ` +
        "(syslog; -n or log.syslog: false switches it off, -u or log.syslog_socket names another socket).\n",
      stderr: "",
    });
    assert.equal(readdirSync(folder), ["pafd.conf"]);
    const withoutAddon = runPafd(["-f", file], { env: { PATHFINDER_EDGE_ADDON: "/no/such/addon" } });
    assert.is(withoutAddon.status, 1);
    assert.match(
      withoutAddon.stdout,
      /^Error configuring logging: syslog needs the addon \/no\/such\/addon, which .* or switch syslog off with -n .*\.\n$/,
    );
  }));

test("under systemd, lines on standard error carry priorities", async () => {
  const address = `ux:${freshName()}`;
  const script = 'JOURNAL_STREAM=$(stat -L -c %d:%i /dev/fd/2) exec "$0" "$@"';
  const pafd = new Pafd(["-c", script, PAFD, "-s", "-n", address], { command: "sh" });
  try {
    await pafd.says("started with configuration");
    assert.match(pafd.log, /^<6>Server version /m);
    const client = await Client.connect(address, 1);
    send(client, Buffer.from("no message"));
    await pafd.says(/^<4><0x1> Protocol error/m);
    assert.not.match(pafd.log, ":root:");
  } finally {
    await pafd.kill();
  }
});

const missing = pythonMissing();
if (missing) console.log(`skipped, all of logging.test.ts: ${missing}`);
else test.run();
