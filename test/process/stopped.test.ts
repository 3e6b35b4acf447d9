/** The server is stopped (SIGSTOP) for longer than every time limit; who gave a sign of life meanwhile stays connected. */

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { boundAddress, Client, Pafd, withFolder } from "../support/pafd.js";
import { endSoon, freshName } from "../support/transport-peers.js";

test.after(endSoon);

const IDLE = { min: 1, max: 4 };
const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

test("stopped for longer than every limit: nobody who is alive is dropped, who is not goes, handshakes go on", () =>
  withFolder(async (folder) => {
    const ux = `ux:${freshName()}`;
    const file = join(folder, "pafd.conf");
    writeFileSync(
      file,
      `domains: [{sockets: ["${ux}", "tcp:127.0.0.1:0"], idle: {min: ${IDLE.min}, max: ${IDLE.max}}}]
log: {console: true, syslog: false}
`,
    );
    const pafd = new Pafd(["-f", file]);
    try {
      await pafd.says("started with configuration");
      const addresses = [ux, await boundAddress(pafd, "tcp:127.0.0.1:0")];
      const watcher = await Client.connect(ux, 1, 2);
      watcher.request("subscribe", 1, { "subscription-id": 1 });
      let ids = 10;
      const trackers: Client[] = [];
      for (const address of addresses) {
        for (let i = 0; i < 8; i++) {
          const client = await Client.connect(address, ++ids);
          client.request("track", 5);
          trackers.push(client);
        }
      }
      // Silent until the server has asked each of them for a sign of life: now the time of each is running out.
      const asked = (client: Client) => client.messages.some((text) => text.endsWith('"track-type":"query"}'));
      for (const client of trackers) await client.until(() => asked(client), "the server's question");
      const silent = await Client.connect(addresses[1]!, 99);
      await silent.ask("publish", 1, { "service-id": 7, generation: 0, "service-props": {}, ttl: 0 });
      const shy = await Promise.all(addresses.map((address) => Client.connect(address)));
      // Accepted, not only connected.
      await sleep(100);
      pafd.child.kill("SIGSTOP");
      assert.equal(
        trackers.filter((client) => client.closes > 0),
        [],
        "nobody was dropped before",
      );
      for (const client of trackers) {
        client.send('{"ta-cmd":"track","ta-id":5,"msg-type":"inform","track-type":"reply"}');
      }
      for (const client of shy) {
        client.request("hello", 0, {
          "client-id": ++ids,
          "protocol-minimum-version": 2,
          "protocol-maximum-version": 3,
        });
      }
      await sleep(IDLE.max * 1000 + 1500);
      pafd.child.kill("SIGCONT");
      for (const [i, client] of trackers.entries())
        assert.match(await client.ask("ping", 6), /"complete"/, `client ${i}`);
      for (const client of shy) {
        await client.until(() => client.messages.length > 0 || client.closes > 0, "the answer to hello");
        assert.match(client.messages[0] ?? "it was dropped", /"protocol-version":3/);
      }
      // The silent one had its half of the time before; the other half begins when the server is back.
      await silent.ends();
      await watcher.until(() => watcher.messages.some((text) => text.includes('"disappeared"')), "its service goes");
      assert.not.match(pafd.log, /ERROR/);
      for (const client of [...trackers, ...shy, watcher]) client.connection.close();
      assert.equal(await pafd.stop(), { code: 0, signal: null });
    } finally {
      await pafd.kill();
    }
  }));

test.run();
