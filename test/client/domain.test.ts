/** A domain over several real servers, which come and go. */

import { suite } from "uvu";
import * as assert from "uvu/assert";
import { type AttachOptions, attach, type Domain } from "../../src/client/index.js";
import { Consumer, ENV, RestartableServer } from "./attached.js";
import { soon } from "./live-domain.js";

const test = suite("domain");
let a: RestartableServer;
let b: RestartableServer;
let domains: Domain[] = [];

test.before.each(async () => {
  a = await RestartableServer.start();
  b = await RestartableServer.start();
});
test.after.each(() => {
  for (const domain of domains) domain.abandon();
  domains = [];
  a.stop();
  b.stop();
});

function open(servers: readonly RestartableServer[] = [a, b], options: AttachOptions = {}): Domain {
  const domain = attach({ servers: servers.map(({ address }) => ({ address })) }, { env: ENV, ...options });
  domains.push(domain);
  return domain;
}

test("publish, modify, unpublish: told once, although two servers know it", async () => {
  const consumer = new Consumer(open());
  const service = open().publish({ name: "one", n: 1, many: [1, 2n, "x"] });
  await consumer.hears(1);
  service.modify({ name: "two" });
  await consumer.hears(2);
  service.unpublish();
  await consumer.hears(3);
  assert.equal(consumer.told, ["appeared one", "modified two", "disappeared two"]);
  assert.is(service.generation, 1n);
});

test("both servers restart one after the other: nobody is told anything", async () => {
  const consuming = open();
  const consumer = new Consumer(consuming);
  const producing = open();
  for (let i = 0; i < 100; i++) producing.publish({ name: `s${i}` });
  await consumer.sees(100);
  for (const server of [a, b]) {
    server.stop();
    await server.start();
    await new Consumer(open([server])).sees(100);
  }
  assert.is(consumer.told.length, 100);
});

test("close takes back the services on all servers", async () => {
  const consumer = new Consumer(open());
  const producing = open();
  for (let i = 0; i < 100; i++) producing.publish({ name: `s${i}` });
  await consumer.sees(100);
  await soon(producing.close(), "close");
  assert.equal(producing.links, []);
  await consumer.sees(0);
});

test.run();
