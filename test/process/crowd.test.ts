/** A thousand clients of the real server at once; then all are gone, and nothing of them is left. */

import { test } from "uvu";
import * as assert from "uvu/assert";
import { Client, eventually, openDescriptors, residentMiB, withPafd } from "../support/pafd.js";
import { endSoon, freshName } from "../support/transport-peers.js";

test.after(endSoon);

const CLIENTS = 1000;
/** Every tenth subscribes to everything, the others to one group of ten. */
const seesAll = (i: number) => i % 10 === 0;

async function crowd(address: string): Promise<Client[]> {
  const clients = await Promise.all(Array.from({ length: CLIENTS }, (_, i) => Client.connect(address, i + 1)));
  await Promise.all(
    clients.map((client, i) => {
      client.messages.length = 0;
      const filter = seesAll(i) ? {} : { filter: `(group=${Math.floor(i / 10)})` };
      client.request("subscribe", 1, { "subscription-id": i + 1, ...filter });
      return client.receives(1);
    }),
  );
  for (const [i, client] of clients.entries()) {
    const service = { "service-id": i + 1, generation: 0, "service-props": { group: [Math.floor(i / 10)] }, ttl: 0 };
    client.request("publish", 2, service);
  }
  await Promise.all(clients.map((client, i) => client.receives(1 + 1 + (seesAll(i) ? CLIENTS : 10))));
  return clients;
}

test("1,000 clients: each sees what it subscribed to, once; killed all at once they leave nothing behind", async () => {
  const address = `ux:${freshName()}`;
  await withPafd([address], async (pafd) => {
    const witness = await Client.connect(address, 5000, 2);
    const descriptors = openDescriptors(pafd.pid);
    const resident: number[] = [];
    for (let round = 0; round < 3; round++) {
      const clients = await crowd(address);
      assert.is(openDescriptors(pafd.pid), descriptors + CLIENTS);
      for (const [i, client] of clients.entries()) {
        const appeared = client.messages.filter((text) => text.includes('"appeared"'));
        const ids = new Set(appeared.map((text) => /"service-id":(\d+)/.exec(text)![1]));
        assert.is(ids.size, seesAll(i) ? CLIENTS : 10);
        assert.is(appeared.length, ids.size);
      }
      for (const client of clients) client.connection.close();
      await eventually(
        () => openDescriptors(pafd.pid),
        (n) => n === descriptors,
        "descriptors of the server",
      );
      witness.messages.length = 0;
      await witness.ask("clients", 1);
      assert.is(witness.messages.length, 3, "only the witness is listed");
      witness.messages.length = 0;
      witness.request("services", 2);
      await witness.receives(2);
      assert.is(witness.messages.length, 2, "a TTL of 0: no orphan is left");
      resident.push(residentMiB(pafd.pid));
    }
    console.log(`resident after each crowd has gone: ${resident.map((mib) => mib.toFixed(1)).join(", ")} MiB`);
    assert.ok(resident[2] < resident[0] + 15, `memory grows: ${resident.join(", ")} MiB`);
    witness.connection.close();
  });
});

const SUBSCRIBERS = 400;

test("a server with 400 subscribers to the services of each other stops promptly", async () => {
  const address = `ux:${freshName()}`;
  await withPafd([address], async (pafd) => {
    const clients = await Promise.all(Array.from({ length: SUBSCRIBERS }, (_, i) => Client.connect(address, i + 1)));
    await Promise.all(
      clients.map((client, i) =>
        client.ask("publish", 1, { "service-id": i, generation: 0, "service-props": {}, ttl: 60 }),
      ),
    );
    await Promise.all(
      clients.map((client, i) => {
        client.messages.length = 0;
        client.request("subscribe", 2, { "subscription-id": i });
        return client.receives(1 + SUBSCRIBERS);
      }),
    );
    assert.equal(await pafd.stop(), { code: 0, signal: null });
    await Promise.all(clients.map((client) => client.ends()));
  });
});

test.run();
