/** SIGUSR1 writes what the server holds to the log; Node.js's inspector, which waits for that signal, stays shut. */

import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync, readlinkSync, writeFileSync } from "node:fs";
import { open } from "node:fs/promises";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { Client, openDescriptors, Pafd, withFolder, withPafd } from "../support/pafd.js";
import { endSoon, freshName } from "../support/transport-peers.js";

test.after(endSoon);

/** The lines that one SIGUSR1 adds to the log; `count` of them are waited for. */
async function state(pafd: Pafd, count: number): Promise<string[]> {
  const before = pafd.log.length;
  const lines = () => pafd.log.slice(before).match(/^INFO:root:.*State: .*\n/gm) ?? [];
  pafd.child.kill("SIGUSR1");
  await pafd.until(() => lines().length >= count, `${count} lines of state in ${pafd.log.slice(before)}`);
  return lines().map((line) => line.trimEnd().replace("INFO:root:", ""));
}

/** Sockets of the process that listen on TCP. */
function listeningSockets(pid: number): number {
  const listening = ["tcp", "tcp6"].flatMap((table) =>
    readFileSync(`/proc/${pid}/net/${table}`, "utf8")
      .split("\n")
      .map((line) => line.trim().split(/\s+/))
      .filter((columns) => columns[3] === "0A")
      .map((columns) => `socket:[${columns[9]}]`),
  );
  const open = readdirSync(`/proc/${pid}/fd`).map((fd) => {
    try {
      return readlinkSync(`/proc/${pid}/fd/${fd}`);
    } catch {
      return ""; // closed meanwhile
    }
  });
  return open.filter((name) => listening.includes(name)).length;
}

test("the lines say what is there, and follow what happens", async () => {
  const name = `ux:${freshName()}`;
  await withPafd([name], async (pafd) => {
    const [own, empty] = await state(pafd, 2);
    assert.match(
      own,
      /^State: up \d+ s; memory [1-9]\d{6,} bytes resident, [1-9]\d{5,} heap; [1-9]\d* descriptors; 0 timers\.$/,
    );
    assert.is(
      empty,
      `State: 0 connections (0 clients); 0 services (0 orphans); 0 subscriptions; 0 messages, 0 bytes queued; listening on ${name}.`,
    );
    assert.is(Number(/(\d+) descriptors/.exec(own)?.[1]), openDescriptors(pafd.pid));

    const client = await Client.connect(name, 1);
    const other = await Client.connect(name, 2);
    const service = { generation: 0, "service-props": {}, ttl: 3600 };
    await client.ask("publish", 1, { "service-id": 7, ...service });
    await other.ask("publish", 1, { "service-id": 8, ...service });
    other.connection.close();
    client.request("subscribe", 2, { "subscription-id": 5 });
    await client.until(() => client.messages.some((text) => text.includes('"accept"')), "the subscription");
    const silent = await Client.connect(name); // without a handshake
    await pafd.says("<0x2> Disconnected");
    const [busy, full] = await state(pafd, 2);
    assert.match(
      full,
      /^State: 2 connections \(1 clients\); 2 services \(1 orphans\); 1 subscriptions; 0 messages, 0 bytes queued; /,
    );
    assert.match(busy, /; [1-9]\d* timers\.$/);
    for (const { connection } of [client, silent]) connection.close();
  });
});

test("messages that a client does not read are counted", async () => {
  const name = `ux:${freshName()}`;
  await withPafd([name], async (pafd) => {
    const reader = await Client.connect(name, 1);
    reader.request("subscribe", 1, { "subscription-id": 5 });
    await reader.until(() => reader.messages.some((text) => text.includes('"accept"')), "the subscription");
    reader.connection.pauseReading();
    const publisher = await Client.connect(name, 2);
    const props = { text: ["x".repeat(30_000)] };
    for (let i = 0; i < 100; i++) {
      await publisher.ask("publish", i, { "service-id": i, generation: 0, "service-props": props, ttl: 60 });
    }
    const [, line] = await state(pafd, 2);
    const [, messages, bytes] = /; (\d+) messages, (\d+) bytes queued;/.exec(line) ?? [];
    assert.ok(Number(messages) > 0 && Number(bytes) > 30_000 * Number(messages), line);
    for (const { connection } of [reader, publisher]) connection.close();
  });
});

test("domains have their prefixes, gateways a line; every signal is answered, and no inspector listens", async () => {
  await withFolder(async (folder) => {
    const file = join(folder, "pafd.conf");
    writeFileSync(
      file,
      `domains: [{name: home, sockets: ["ux:${freshName()}"]}, {name: empty, sockets: []}]
gateways: [{type: mdns, domain: empty, interfaces: [nosuch0]}]
`,
    );
    await withPafd(["-f", file], async (pafd) => {
      for (let i = 0; i < 3; i++) {
        const [, home, empty, gateway] = await state(pafd, 4);
        assert.match(home, /^home: State: 0 connections/);
        assert.match(empty, /^empty: State: 0 connections .*; listening on nothing\.$/);
        assert.is(gateway, "empty: State: gateway mdns waiting; 0 services; 0 interfaces; 0 instances.");
      }
      assert.not.match(pafd.log, /debugger|inspector/i);
      assert.is(listeningSockets(pafd.pid), 0);
      assert.equal(await pafd.stop(), { code: 0, signal: null });
    });
  });
});

test("a signal during the start opens no inspector either", async () => {
  await withFolder(async (folder) => {
    const fifo = join(folder, "pafd.conf");
    execFileSync("mkfifo", [fifo]);
    const pafd = new Pafd(["-sn", "-f", fifo]);
    try {
      const writer = await open(fifo, "w"); // when pafd reads its configuration, and waits for more of it
      pafd.child.kill("SIGUSR1");
      await writer.write(`domains: [{sockets: ["ux:${freshName()}"]}]\n`);
      await writer.close();
      await pafd.says("started with configuration");
      await state(pafd, 2); // the second signal; the first one has been dealt with
      assert.not.match(pafd.log, /debugger/i);
      assert.is(listeningSockets(pafd.pid), 0);
    } finally {
      await pafd.kill();
    }
  });
});

test.run();
