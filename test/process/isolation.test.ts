/** Two domains of one process: while one is flooded by every means, the other's clients hear exactly what they must. */

import { test } from "uvu";
import * as assert from "uvu/assert";
import { SeededRandom } from "../../scripts/fuzz/random.js";
import { BadClient, Tally } from "../../scripts/fuzz/sessions/client.js";
import { Witness } from "../../scripts/fuzz/sessions/witness.js";
import { boundAddress, Client, startPafd } from "../support/pafd.js";
import { endSoon, freshName } from "../support/transport-peers.js";

test.after(endSoon);

const SERVICES = 2000;
const TRANSACTIONS = 150;

test("a flood, slow readers, large lists and dear filters in one domain do not touch another", async () => {
  const [troubled, quiet] = [`ux:${freshName()}`, `ux:${freshName()}`];
  const pafd = await startPafd(["-m", `${quiet}+tcp:127.0.0.1:0`, troubled]);
  try {
    const tcp = await boundAddress(pafd, "tcp:127.0.0.1:0");
    let over = false;
    const tally = new Tally();
    const failures: Error[] = [];
    const fail = (error: Error) => void failures.push(error);
    const bad = Array.from(
      { length: 8 },
      (_, i) => new BadClient(i, new SeededRandom(4711 + i), [{ address: troubled }], tally, fail),
    );
    const running = bad.map((client) => client.run(() => !over && failures.length === 0).catch(fail));
    const publisher = await Client.connect(troubled, 1);
    const service = (id: number, generation: number) => ({
      "service-id": 1_000_000 + id,
      generation,
      "service-props": { name: [`service-${id}`], text: ["x".repeat(200)] },
      ttl: 0,
    });
    const publishAll = async (generation: number) => {
      publisher.messages.length = 0;
      for (let id = 0; id < SERVICES; id++) publisher.request("publish", id + 1, service(id, generation));
      await publisher.receives(SERVICES);
    };
    await publishAll(0);
    // They subscribe to everything and ask for everything, and read nothing of it.
    const slow = await Promise.all(Array.from({ length: 8 }, (_, i) => Client.connect(troubled, 10 + i)));
    const dear = `(|${"(text=*y*z*)".repeat(20)}(no=one))`;
    for (const [i, client] of slow.entries()) {
      client.connection.pauseReading();
      client.request("subscribe", 1, { "subscription-id": 1_000_000 + i });
      client.request("subscribe", 2, { "subscription-id": 2_000_000 + i, filter: dear });
      for (let taId = 3; taId < 40; taId++) client.request("services", taId);
    }
    const flood = (async () => {
      for (let generation = 1; !over; generation++) await publishAll(generation);
    })();
    const witness = new Witness(new SeededRandom(1), [{ address: tcp }, { address: quiet }]);
    await witness.open();
    while (witness.transactions < TRANSACTIONS) {
      await witness.step();
      await new Promise((resolve) => setImmediate(resolve));
    }
    assert.is((await witness.list("clients")).length, 2);
    assert.is((await witness.list("subscriptions")).length, witness.subscriptionCount);
    const services = await witness.list("services");
    assert.ok(services.every((one) => witness.owns(one["service-id"] as bigint)));
    over = true;
    await flood;
    await Promise.all(running);
    assert.equal(failures, []);
    const { p50, p99, max } = witness.pingTimes();
    const ms = [p50, p99, max].map((value) => value.toFixed(1));
    console.log(
      `${tally.sent} bad messages in the other domain; pings: median ${ms[0]} ms, 99 % ${ms[1]} ms, longest ${ms[2]} ms`,
    );
    for (const client of bad) client.close();
    await witness.close();
    for (const client of [publisher, ...slow]) client.connection.close();
    assert.not.match(pafd.log, /ERROR|Internal error/);
    assert.equal(await pafd.stop(), { code: 0, signal: null });
  } finally {
    await pafd.kill();
  }
});

test.run();
