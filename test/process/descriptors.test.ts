/** The real server where the operator allows it few descriptors: clients beyond wait, and are served when others leave. */

import { readdirSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { boundAddress, Client, eventually, PAFD, Pafd } from "../support/pafd.js";
import { endSoon, freshName } from "../support/transport-peers.js";

const test = suite("few descriptors");
test.after(endSoon);

const DESCRIPTORS = 64;
const CLIENTS = 100;
const FAILED = /Accepting a connection on \S+ failed: [^\n]*too many open files in this process \(EMFILE\)/;

for (const [transport, given] of [
  ["ux", `ux:${freshName()}`],
  ["tcp", "tcp:127.0.0.1:0"],
] as const) {
  test(`${transport}: nobody is turned away, those who are served go on, the log says it`, async () => {
    const limited = `ulimit -n ${DESCRIPTORS} && exec "$0" -s -n "$1"`;
    const pafd = new Pafd(["-c", limited, PAFD, given], { command: "sh" });
    try {
      await pafd.says("started with configuration");
      const address = transport === "ux" ? given : await boundAddress(pafd, given);
      // What whoever runs the tests has left open above the limit does not count.
      const used = () => readdirSync(`/proc/${pafd.pid}/fd`).filter((fd) => Number(fd) < DESCRIPTORS).length;
      const before = used();
      const clients = await Promise.all(Array.from({ length: CLIENTS }, () => Client.connect(address)));
      const served: Client[] = [];
      const greeted = Promise.all(
        clients.map(async (client, i) => {
          await client.hello(i + 1);
          served.push(client);
        }),
      );
      greeted.catch(() => {}); // where it fails before it is awaited, something else is what is wrong
      await pafd.says(FAILED);
      assert.is(used(), DESCRIPTORS);
      const room = pafd.log.split(" Accepted a connection from ").length - 1;
      assert.ok(room >= DESCRIPTORS - before - 1, `${room} have room; libuv takes one descriptor for itself`);
      await eventually(
        () => served.length,
        (n) => n === room,
        "clients that are served",
      );
      assert.is(pafd.log.split(FAILED).length - 1, 1, pafd.log);
      assert.match(await served[0]!.ask("ping", 1), '"complete"');
      for (let gone = 0; gone < CLIENTS; gone++) {
        await eventually(
          () => served.length,
          (n) => n > gone,
          `somebody served after ${gone} have left`,
        );
        assert.ok(served.length - gone <= room);
        served[gone]!.connection.close();
      }
      await greeted;
      assert.is(served.length, CLIENTS);
      assert.equal(await pafd.stop(), { code: 0, signal: null });
    } finally {
      await pafd.kill();
    }
  });
}

test.run();
