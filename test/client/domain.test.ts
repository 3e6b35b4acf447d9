/** A domain over several real servers, which come and go. */

import { suite } from "uvu";
import * as assert from "uvu/assert";
import { eventLoop } from "../../src/client/event-loop.js";
import {
  type AttachOptions,
  attach,
  type Domain,
  DomainClosedError,
  equal,
  FilterSyntaxError,
  ServiceTooLargeError,
  ServiceUnpublishedError,
  Session,
} from "../../src/client/index.js";
import { endSoon, freshName, send, serve, uncaught, Watch } from "../support/transport-peers.js";
import { Consumer, ENV, Journal, RestartableServer } from "./attached.js";
import { fakeServer, HELLO_COMPLETE, openSockets, soon } from "./live-domain.js";

const test = suite("domain");
let a: RestartableServer;
let b: RestartableServer;
let domains: Domain[] = [];

test.before.each(async () => {
  a = await RestartableServer.start();
  b = await RestartableServer.start();
});
test.after.each(async () => {
  for (const domain of domains) domain.abandon();
  domains = [];
  a.stop();
  b.stop();
  assert.equal(eventLoop().timers.list(), [], "no timer may be left");
});

test.after(endSoon);

interface Addressed {
  readonly address: string;
}

function open(servers: readonly Addressed[] = [a, b], options: AttachOptions = {}): Domain {
  const domain = attach({ servers: servers.map(({ address }) => ({ address })) }, { env: ENV, ...options });
  domains.push(domain);
  return domain;
}

/** Publishes services named s0, s1, … */
const publishMany = (domain: Domain, count: number) =>
  Array.from({ length: count }, (_, i) => domain.publish({ name: `s${i}`, i }));

/** What stands at this server, asked anew. */
const standing = (server: Addressed, count: number) => new Consumer(open([server])).sees(count);

test("publish, modify, unpublish: told once, although two servers know it", async () => {
  const consumer = new Consumer(open());
  const service = open().publish({ name: "one", n: 1, many: [1, 2n, "x"] });
  await consumer.hears(1);
  service.modify({ name: "one", many: ["x", 2, 1], n: 1n });
  assert.is(service.generation, 0n, "the same in other words");
  service.modify({ name: "two" });
  await consumer.hears(2);
  service.setTtl(60);
  service.setTtl(60n);
  assert.is(service.generation, 2n);
  await standing(a, 1);
  service.unpublish();
  service.unpublish();
  await consumer.hears(3);
  assert.equal(consumer.told, ["appeared one", "modified two", "disappeared two"]);
});

test("filters, as text and built: what matches is told, until cancel", async () => {
  const consuming = open();
  const producing = open();
  const [first, second] = publishMany(producing, 2);
  const texts = new Consumer(consuming, "(name=s0)");
  const seen: bigint[] = [];
  const watch = new Watch();
  consuming.subscribe(equal("name", "s1"), ({ serviceId }) => {
    seen.push(serviceId);
    watch.happened();
  });
  await texts.hears(1);
  await watch.until(() => seen.length > 0, "the built filter's match");
  assert.equal([[...texts.present.keys()], seen], [[first!.id], [second!.id]]);
  texts.subscription.cancel();
  texts.subscription.cancel();
  const later = new Consumer(consuming, "(name=s0)");
  await later.hears(1);
  first!.unpublish();
  await later.hears(2);
  assert.is(texts.told.length, 1);
});

test("what can not be published or subscribed to is refused at once", async () => {
  const domain = open();
  assert.throws(
    () => domain.publish({ a: "x".repeat(40_000) }),
    (error: unknown) => error instanceof ServiceTooLargeError,
  );
  assert.throws(() => domain.publish({}, { ttlSeconds: -1 }), /TTL -1/);
  assert.throws(() => domain.publish({ a: 0.5 }), /"a": 0.5/);
  assert.throws(
    () => domain.subscribe("(a=", () => {}),
    (error: unknown) => error instanceof FilterSyntaxError,
  );
  assert.throws(() => domain.matches(`(a=${"å".repeat(8000)})`), /at most 8192/);
  const service = domain.publish({});
  service.unpublish();
  assert.throws(
    () => service.modify({}),
    (error: unknown) => error instanceof ServiceUnpublishedError,
  );
  await domain.close();
  for (const call of [
    () => domain.publish({}),
    () => domain.subscribe(undefined, () => {}),
    () => domain.matches(),
    () => domain.setServers([]),
    () => service.setTtl(3),
  ]) {
    assert.throws(call, (error: unknown) => error instanceof DomainClosedError);
  }
  service.unpublish();
});

test("the default TTL follows PAF_TTL at each publish", () => {
  const env: Record<string, string> = { ...ENV, PAF_TTL: "7" };
  const domain = open([a], { env });
  assert.is(domain.publish({}).ttlSeconds, 7n);
  env.PAF_TTL = "8";
  assert.is(domain.publish({}).ttlSeconds, 8n);
  assert.is(domain.publish({}, { ttlSeconds: 9 }).ttlSeconds, 9n);
});

test("both servers restart one after the other: nobody is told anything", async () => {
  const consumer = new Consumer(open());
  publishMany(open(), 100);
  await consumer.sees(100);
  for (const server of [a, b]) {
    server.stop();
    await server.start();
    await standing(server, 100);
  }
  assert.is(consumer.told.length, 100);
});

test("all servers go: services stay until their TTL has passed, and are told again when they are back", async () => {
  const consumer = new Consumer(open());
  const producing = open();
  producing.publish({ name: "short" }, { ttlSeconds: 1 });
  producing.publish({ name: "long" }, { ttlSeconds: 3600 });
  await consumer.sees(2);
  const lostAt = performance.now();
  a.stop();
  b.stop();
  await consumer.hears(3);
  assert.ok(performance.now() - lostAt > 990, "not before the TTL");
  assert.equal(consumer.told.slice(2), ["disappeared short"]);
  await b.start();
  await consumer.hears(4);
  assert.equal(consumer.told.slice(3), ["appeared short"]);
});

test("changed while no server is there: the latest state is what they get", async () => {
  const consumer = new Consumer(open());
  const producing = open();
  const [first, second] = publishMany(producing, 2);
  await consumer.sees(2);
  a.stop();
  b.stop();
  for (let i = 0; i < 5; i++) first!.modify({ name: `changed ${i}` });
  second!.unpublish();
  producing.publish({ name: "new" });
  await a.start();
  await consumer.hears(4);
  assert.equal(consumer.told.slice(2).sort(), ["appeared new", "modified changed 4"]);
  assert.is(first!.generation, 5n);
});

test("a server that is frozen (it accepts, and says nothing) holds up nobody", async () => {
  const frozen = await serve(`ux:${freshName()}`);
  const consumer = new Consumer(open([frozen, a]));
  const producing = open([frozen, a]);
  publishMany(producing, 100);
  await consumer.sees(100);
  assert.is(producing.links.find(({ address }) => address === frozen.address)!.state, "greeting");
  await soon(producing.close(), "close");
  await consumer.sees(0);
  frozen.close();
});

test("a server that breaks off in the middle, with garbage and with matches that can not be: the other is not disturbed", async () => {
  publishMany(open([a]), 10);
  for (const [what, notify] of [
    ["no JSON", "garbage"],
    ["a service that disappears, but was not there", '"match-type":"disappeared","service-id":7}'],
    [
      "modified before appeared",
      '"match-type":"modified","service-id":7,"generation":0,"service-props":{},"ttl":5,"client-id":1}',
    ],
  ] as const) {
    const bad = await fakeServer((request, connection) => {
      if (request["ta-cmd"] === "hello") return [HELLO_COMPLETE];
      const to = { "ta-cmd": request["ta-cmd"], "ta-id": request["ta-id"] };
      if (request["ta-cmd"] === "track") return [{ ...to, "msg-type": "accept" }];
      if (request["ta-cmd"] !== "subscribe") return [{ ...to, "msg-type": "complete" }];
      const head = `{"ta-cmd":"subscribe","ta-id":${to["ta-id"]},"msg-type":"notify",`;
      queueMicrotask(() => send(connection, notify === "garbage" ? notify : head + notify));
      return [{ ...to, "msg-type": "accept" }];
    });
    const journal = new Journal();
    const consumer = new Consumer(open([bad, a], { log: journal.log }));
    await consumer.sees(10);
    await bad.connections(3); // it is tried again and again
    assert.ok(
      journal.lines.some((line) => line.startsWith(`warning: ${bad.address}: Connection lost: `)),
      what,
    );
    assert.is(consumer.told.length, 10, what);
    bad.close();
  }
});

test("what a server refuses does not cost the link, is told once, and is tried until it succeeds", async () => {
  const unlimited = { clients: Infinity, services: Infinity, subscriptions: Infinity };
  const limits = { total: { ...unlimited, services: 5 }, user: unlimited };
  const small = await RestartableServer.start({ limits });
  const journal = new Journal();
  const producing = open([small], { log: journal.log });
  const services = publishMany(producing, 10);
  const consumer = new Consumer(open([small]));
  await consumer.sees(5);
  await journal.says(/Refused publish .* insufficient-resources; it is tried again\./);
  for (const service of services.slice(0, 5)) service.unpublish();
  await consumer.until(() => consumer.present.size === 5 && !consumer.present.has(services[0]!.id), "the others");
  assert.is(producing.links[0]!.state, "operational");
  assert.is(journal.lines.filter((line) => line.includes("Refused")).length, 1);
  small.stop();
});

test("setServers: gone, new and unchanged", async () => {
  const consuming = open([a, b]);
  const consumer = new Consumer(consuming);
  publishMany(open([a, b]), 10);
  await consumer.sees(10);
  const journal = new Journal();
  const producing = open([a], { log: journal.log });
  producing.publish({ name: "moving" });
  await consumer.sees(11);
  producing.setServers([{ address: b.address }]);
  await standing(b, 11);
  await journal.says(/Not a server any more/);
  assert.equal(
    producing.links.map(({ address }) => address),
    [b.address],
  );
  producing.setServers([{ address: b.address }]);
  assert.is(producing.links[0]!.state, "operational", "left alone");
  producing.setServers([{ address: b.address, maxProtocolVersion: 2 }]);
  await journal.says(/The settings have changed/);
  await journal.says(/protocol version 2/);
  assert.throws(() => producing.setServers([{ address: "ux:x" }, { address: "ux:x" }]), /same address twice/);
  producing.setServers([]);
  assert.equal(producing.links, []);
  assert.is(consumer.told.length, 11, "an orphan now, but there");
});

test("close: services are taken back everywhere, matches end, it is one promise, and nothing is left", async () => {
  const sockets = openSockets();
  const consumer = new Consumer(open());
  const producing = open();
  const own = new Consumer(producing);
  publishMany(producing, 100);
  await consumer.sees(100);
  await own.sees(100);
  const closing = producing.close();
  assert.is(producing.close(), closing);
  await soon(closing, "close");
  await consumer.sees(0);
  assert.equal(producing.links, []);
  assert.is(own.told.length, 100, "nothing was told after close");
  producing.abandon();
  await producing.close();
  await domains[0]!.close();
  // Both ends are in this process; a connect after the closes is behind them.
  const last = await Session.connect(a.address, { clientId: 1n });
  const clients = await last.clients();
  assert.is(clients.length, 1);
  last.close();
  assert.ok(openSockets() <= sockets + 4);
});

test("close is bounded, whatever the servers do: one that answers nothing, one that is not there", async () => {
  const mute = await fakeServer((request) => {
    const to = { "ta-cmd": request["ta-cmd"], "ta-id": request["ta-id"] };
    if (request["ta-cmd"] === "hello") return [HELLO_COMPLETE];
    if (request["ta-cmd"] === "track") return [{ ...to, "msg-type": "accept" }];
    return request["ta-cmd"] === "publish" ? [{ ...to, "msg-type": "complete" }] : [];
  });
  const journal = new Journal();
  const domain = open([mute, { address: `ux:${freshName()}` }], { log: journal.log });
  domain.publish({ name: "x" });
  await journal.says(/Connected/);
  await mute.accepted[0]!.receives(3);
  await soon(domain.close(), "close");
  await journal.says(/Not all services were taken back within 501 ms/);
  mute.close();
});

test("abandon: services become orphans; as does an abort, before or after", async () => {
  const consumer = new Consumer(open());
  const controller = new AbortController();
  const first = open([a, b], { signal: controller.signal });
  const second = open();
  first.publish({ name: "aborted" }, { ttlSeconds: 1 });
  second.publish({ name: "abandoned" }, { ttlSeconds: 1 });
  await consumer.sees(2);
  controller.abort();
  second.abandon();
  await soon(Promise.all([first.close(), second.close()]), "close");
  assert.is(consumer.present.size, 2);
  await consumer.sees(0);
  const never = open([a], { signal: AbortSignal.abort() });
  assert.throws(
    () => never.publish({}),
    (error: unknown) => error instanceof DomainClosedError,
  );
  await never.close();
});

test("matches: as an async iterator, ended by its signal, by the loop, and by the domain", async () => {
  const producing = open();
  const consuming = open();
  const controller = new AbortController();
  const bySignal = consuming.matches("(name=*)", { signal: controller.signal });
  const byDomain = consuming.matches();
  publishMany(producing, 3);
  const seen: string[] = [];
  for await (const match of consuming.matches(equal("name", "s1"))) {
    seen.push(match.type);
    break;
  }
  assert.equal(seen, ["appeared"]);
  const count = async (iterator: AsyncIterable<unknown>, atThree: () => unknown) => {
    let matches = 0;
    for await (const _ of iterator) if (++matches === 3) atThree();
    return matches;
  };
  assert.is(
    await soon(
      count(bySignal, () => controller.abort()),
      "the signal",
    ),
    3,
  );
  assert.is(
    await soon(
      count(byDomain, () => consuming.close()),
      "the domain",
    ),
    3,
  );
  const late = producing.matches(undefined, { signal: AbortSignal.abort() });
  assert.ok((await late.next()).done);
});

test("a callback, or a log, that throws: an uncaught exception, and all others are told", async () => {
  const consuming = open();
  const bug = new Error("bug in the application");
  const before = new Consumer(consuming);
  consuming.subscribe(undefined, () => {
    throw bug;
  });
  const after = new Consumer(consuming);
  const errors = await uncaught(async () => {
    publishMany(open(), 3);
    await before.sees(3);
    await after.sees(3);
    const log = () => {
      throw bug;
    };
    await new Consumer(open([a], { log: { debug: log, info: log, warn: log, error: log } })).sees(3);
  });
  assert.ok(errors.length >= 4 && errors.every((error) => error === bug), String(errors));
});

test("subscribe calls back later, never from within", async () => {
  publishMany(open(), 1);
  const consuming = open();
  await new Consumer(consuming).sees(1);
  let inside = true;
  const watch = new Watch();
  let calls = 0;
  consuming.subscribe(undefined, () => {
    assert.not(inside);
    calls++;
    watch.happened();
  });
  inside = false;
  await watch.until(() => calls === 1, "the match");
});

test("the log says when a link is up, and why it is not", async () => {
  const journal = new Journal();
  const address = `ux:${freshName()}`;
  open([a, { address }], { log: journal.log });
  await journal.says(new RegExp(`^info: ${a.address}: Connected \\(protocol version 3\\)\\.$`));
  await journal.says(new RegExp(`^warning: ${address}: Not connected: .*nobody is listening there`));
  a.stop();
  await journal.says(new RegExp(`^warning: ${a.address}: Connection lost: `));
  await a.start();
  await journal.until(() => journal.lines.filter((line) => line.includes("Connected")).length === 2, "up again");
});

test("10,000 services: published, told, and over the restart of a server, without a word", async () => {
  const consumer = new Consumer(open());
  publishMany(open(), 10_000);
  await consumer.sees(10_000);
  a.stop();
  await a.start();
  await standing(a, 10_000);
  assert.is(consumer.told.length, 10_000);
});

test.run();
