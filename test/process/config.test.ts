/** Keys of the configuration that a running pafd obeys, beyond those that other tests are about. */

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { Client, type Pafd, withFolder, withPafd } from "../support/pafd.js";
import { endSoon, freshName } from "../support/transport-peers.js";

test.after(endSoon);

/** Runs `body` with a pafd whose file is `text`; `FOLDER` in it is a folder of the test's own. */
const withConfig = (text: string, body: (pafd: Pafd, folder: string) => Promise<void>) =>
  withFolder(async (folder) => {
    const file = join(folder, "pafd.conf");
    writeFileSync(file, text.replaceAll("FOLDER", folder));
    await withPafd(["-f", file], (pafd) => body(pafd, folder));
  });

test("user: uid makes local clients users of their own on that socket, and on no other", () =>
  withConfig(
    "domains: [{sockets: [{addr: uxf:FOLDER/own, user: uid}, {addr: uxf:FOLDER/all, user: default}, uxf:FOLDER/plain]}]",
    async (pafd, folder) => {
      assert.match(pafd.log, /'addr': 'uxf:[^']*\/own', 'user': 'uid'\}/);
      const service = { "service-id": 7, generation: 0, "service-props": {}, ttl: 60 };
      const publisher = await Client.connect(`uxf:${join(folder, "own")}`, 1);
      assert.match(await publisher.ask("publish", 1, service), /complete/);
      for (const [socket, id, expected] of [
        ["all", 2, /permission-denied/],
        ["plain", 3, /permission-denied/],
        ["own", 4, /complete/],
      ] as const) {
        const client = await Client.connect(`uxf:${join(folder, socket)}`, id);
        assert.match(await client.ask("unpublish", 1, { "service-id": 7 }), expected, socket);
        client.connection.close();
      }
      publisher.connection.close();
    },
  ));

test("resources.output_queue: who lets more wait is disconnected, the others are served", async () => {
  const name = freshName();
  await withConfig(
    `domains: [{sockets: ["ux:${name}"]}]\nresources: {output_queue: {connection: 65536, domain: 131072}}`,
    async (pafd) => {
      assert.match(pafd.log, /resources: \{ output_queue: \{ connection: 65536, domain: 131072 \} \}/);
      const reader = await Client.connect(`ux:${name}`, 1);
      reader.request("subscribe", 1, { "subscription-id": 5 });
      await reader.until(() => reader.messages.some((text) => text.includes('"accept"')), "the subscription");
      reader.connection.pauseReading();
      const publisher = await Client.connect(`ux:${name}`, 2);
      const props = { text: ["x".repeat(30_000)] };
      for (let i = 0; i < 100; i++) {
        const answer = await publisher.ask("publish", i, {
          "service-id": i,
          generation: 0,
          "service-props": props,
          ttl: 60,
        });
        assert.match(answer, /complete/);
      }
      await pafd.says(/WARNING:root:<0x1> .*\b65536 accepted/);
      reader.connection.close();
      publisher.connection.close();
    },
  );
});

test.run();
