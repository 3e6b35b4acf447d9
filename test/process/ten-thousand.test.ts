/** 10,000 connections held at once, and as many that say nothing, while a witness's pings go on. */

import { spawnSync } from "node:child_process";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { Client, eventually, openDescriptors, residentMiB, withPafd } from "../support/pafd.js";
import { endSoon, freshName } from "../support/transport-peers.js";

test.after(endSoon);

/** Descriptors that this process and the server need for other things. */
const RESERVE = 200;
const allowed = Number(spawnSync("sh", ["-c", "ulimit -Hn"], { encoding: "utf8" }).stdout);
const CONNECTIONS = Number.isFinite(allowed) ? Math.min(10_000, allowed - RESERVE) : 10_000;
if (CONNECTIONS < 10_000) {
  console.log(`only ${CONNECTIONS} connections instead of 10,000: ulimit -Hn is ${allowed}`);
  if (process.env.CI === "true") throw new Error("CI must allow 10,000 connections (ulimit -n)");
}
/** Begun at a time; more would only wait in the backlog. */
const AT_ONCE = 500;

/** Connects `count` clients; those whose number `id` gives complete the handshake. */
async function connectMany(address: string, count: number, id: (i: number) => number | undefined): Promise<Client[]> {
  const clients: Client[] = [];
  while (clients.length < count) {
    const from = clients.length;
    const batch = Math.min(AT_ONCE, count - from);
    clients.push(
      ...(await Promise.all(Array.from({ length: batch }, (_, i) => Client.connect(address, id(from + i))))),
    );
  }
  return clients;
}

/** Pings one after the other until `isOver`; their times in milliseconds, sorted. */
async function pingsUntil(witness: Client, isOver: () => boolean): Promise<number[]> {
  const times: number[] = [];
  for (let taId = 100; !isOver(); taId++) {
    witness.messages.length = 0;
    const began = performance.now();
    assert.match(await witness.ask("ping", taId), /"complete"/);
    times.push(performance.now() - began);
    assert.is(witness.messages.length, 1);
    await new Promise((resolve) => setImmediate(resolve));
  }
  return times.sort((a, b) => a - b);
}

const summary = (times: readonly number[]) =>
  `${times.length} pings meanwhile, median ${times[times.length >> 1]?.toFixed(2)} ms, ` +
  `99 % ${times[Math.floor(times.length * 0.99)]?.toFixed(2)} ms, longest ${times.at(-1)?.toFixed(2)} ms (this process included)`;

test(`${CONNECTIONS} clients at once: all are served, and nothing of them is left`, async () => {
  const address = `ux:${freshName()}`;
  await withPafd([address], async (pafd) => {
    const witness = await Client.connect(address, 1);
    const before = residentMiB(pafd.pid);
    const descriptors = openDescriptors(pafd.pid);
    let over = false;
    const pings = pingsUntil(witness, () => over);
    const clients = await connectMany(address, CONNECTIONS, (i) => 1000 + i);
    assert.is(openDescriptors(pafd.pid), descriptors + CONNECTIONS);
    const each = (residentMiB(pafd.pid) - before) / CONNECTIONS;
    // All at the same moment.
    for (const answer of await Promise.all(clients.map((client) => client.ask("ping", 1)))) {
      assert.match(answer, /"complete"/);
    }
    over = true;
    console.log(`${CONNECTIONS} connections: ${(each * 1024).toFixed(2)} KiB each; ${summary(await pings)}`);
    witness.messages.length = 0;
    witness.request("clients", 2);
    await witness.receives(CONNECTIONS + 3);
    for (const client of clients) client.connection.close();
    await eventually(
      () => openDescriptors(pafd.pid),
      (n) => n === descriptors,
      "descriptors of the server",
    );
    witness.messages.length = 0;
    assert.match(await witness.ask("clients", 3), /"complete"/);
    assert.is(witness.messages.length, 3);
    assert.not.match(pafd.log, /WARNING|ERROR/);
    witness.connection.close();
  });
});

test("thousands that connect and say nothing are gone after their time, and who was there notices nothing", async () => {
  const address = `ux:${freshName()}`;
  await withPafd([address], async (pafd) => {
    const witness = await Client.connect(address, 1);
    const descriptors = openDescriptors(pafd.pid);
    let over = false;
    const pings = pingsUntil(witness, () => over);
    const silent = await connectMany(address, CONNECTIONS / 2, () => undefined);
    // A newcomer that does say hello gets in while they wait.
    const newcomer = await Client.connect(address, 2);
    assert.match(await newcomer.ask("ping", 1), /"complete"/);
    await Promise.all(silent.map((client) => client.ends()));
    over = true;
    console.log(`${silent.length} silent connections: ${summary(await pings)}`);
    assert.ok(silent.every((client) => client.messages.length === 0));
    assert.is(openDescriptors(pafd.pid), descriptors + 1);
    assert.is(witness.closes + newcomer.closes, 0);
    newcomer.connection.close();
    witness.connection.close();
  });
});

test.run();
