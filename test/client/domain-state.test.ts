/** What an application can see and wait for: connections, where a service stands, refusals, the services that match now. */

import { suite } from "uvu";
import * as assert from "uvu/assert";
import { eventLoop } from "../../src/client/event-loop.js";
import {
  type AttachOptions,
  attach,
  type Domain,
  DomainClosedError,
  type DomainMatch,
  jsonProperties,
  type LinkState,
  type Refusal,
  RequestError,
  ServiceUnpublishedError,
  WatchEndedError,
} from "../../src/client/index.js";
import { endSoon, send, uncaught, Watch } from "../support/transport-peers.js";
import { Consumer, ENV, RestartableServer } from "./attached.js";
import { fakeServer, HELLO_COMPLETE, soon } from "./live-domain.js";

const test = suite("domain state");
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
  assert.equal(eventLoop().timers.list(), [], "no timer may be left");
});
test.after(endSoon);

function open(servers: readonly { readonly address: string }[], options: AttachOptions = {}): Domain {
  const domain = attach({ servers: servers.map(({ address }) => address) }, { env: ENV, ...options });
  domains.push(domain);
  return domain;
}

/** With what a promise rejects. */
const reasonOf = (promise: Promise<unknown>): Promise<unknown> =>
  soon(
    promise.then(
      () => assert.unreachable("it did not reject"),
      (error: unknown) => error,
    ),
    "a rejection",
  );

test("connected: to one server, to two, not to more than there are; the signal and close end the wait", async () => {
  const domain = open([a, b]);
  await soon(domain.connected(), "one");
  await soon(domain.connected({ servers: 2 }), "two");
  const controller = new AbortController();
  const aborted = domain.connected({ servers: 3, signal: controller.signal });
  const reason = new Error("enough");
  controller.abort(reason);
  assert.is(await reasonOf(aborted), reason);
  assert.is(await reasonOf(domain.connected({ signal: controller.signal })), reason);
  const closed = domain.connected({ servers: 3 });
  await domain.close();
  assert.instance(await reasonOf(closed), DomainClosedError);
  assert.instance(await reasonOf(domain.connected()), DomainClosedError);
});

test("onLinkState: each state in order, also those of a lost connection and of close", async () => {
  const states: LinkState[] = [];
  const watch = new Watch();
  const onLinkState = (link: LinkState) => {
    states.push(link);
    watch.happened();
  };
  const domain = open([a], { onLinkState });
  await watch.until(() => states.at(-1)?.state === "operational", "operational");
  assert.is(states.at(-1)!.protocolVersion, 3);
  a.stop();
  await watch.until(() => states.at(-1)?.state === "waiting", "waiting");
  assert.match(states.at(-1)!.lastError!, /./);
  await a.start();
  await watch.until(() => states.at(-1)?.state === "operational", "operational again");
  await domain.close();
  await watch.until(() => states.at(-1)?.state === "detached", "detached");
  const seen = states.map(({ state }) => state);
  assert.equal(seen.slice(0, 3), ["connecting", "greeting", "operational"]);
  assert.ok(
    seen.every((state, i) => state !== seen[i - 1]),
    seen.join(" "),
  );
  assert.ok(states.every(({ address }) => address === a.address));
});

test("published: by one server, by two, again after a change; where it stands", async () => {
  b.stop();
  const domain = open([a, b]);
  const service = domain.publish({ name: "x" });
  assert.equal(
    service.servers.map(({ address, state }) => `${address} ${state}`),
    [`${a.address} pending`, `${b.address} pending`],
  );
  await soon(service.published(), "one");
  assert.equal(
    service.servers.map(({ state }) => state),
    ["published", "pending"],
  );
  const both = service.published({ servers: 2 });
  await b.start();
  await soon(both, "two");
  service.modify({ name: "y" });
  assert.equal(
    service.servers.map(({ state }) => state),
    ["pending", "pending"],
  );
  await soon(service.published({ servers: 2 }), "two again");
  const never = service.published({ servers: 3 });
  service.unpublish();
  assert.instance(await reasonOf(never), ServiceUnpublishedError);
  assert.instance(await reasonOf(service.published()), ServiceUnpublishedError);
  assert.equal(service.servers, []);
  const other = domain.publish({ name: "z" });
  const left = other.published({ servers: 3 });
  await domain.close();
  assert.instance(await reasonOf(left), DomainClosedError);
  assert.instance(await reasonOf(other.published()), DomainClosedError);
  assert.instance(await reasonOf(service.published()), DomainClosedError);
});

test("published waits for the state at its end, not the one at its beginning", async () => {
  const held: (() => void)[] = [];
  const slow = await fakeServer((request, connection) => {
    const to = { "ta-cmd": request["ta-cmd"], "ta-id": request["ta-id"] };
    if (request["ta-cmd"] === "hello") return [HELLO_COMPLETE];
    if (request["ta-cmd"] === "track") return [{ ...to, "msg-type": "accept" }];
    held.push(() => send(connection, JSON.stringify({ ...to, "msg-type": "complete" })));
    return [];
  });
  const domain = open([slow]);
  const service = domain.publish({ n: 1 });
  let isPublished = false;
  const published = service.published().then(() => {
    isPublished = true;
  });
  await soon(domain.connected(), "the connection");
  await slow.accepted[0]!.receives(3);
  service.modify({ n: 2 });
  held[0]!(); // the first state
  await slow.accepted[0]!.receives(4);
  assert.not(isPublished);
  held[1]!();
  await soon(published, "the second state");
  slow.close();
});

test("a refusal is told once, with its reason, and stands at the service until the server takes it", async () => {
  const unlimited = { clients: Infinity, services: Infinity, subscriptions: Infinity };
  const small = await RestartableServer.start({ limits: { total: { ...unlimited, services: 1 }, user: unlimited } });
  const refusals: Refusal[] = [];
  const watch = new Watch();
  const onRefused = (refusal: Refusal) => {
    refusals.push(refusal);
    watch.happened();
  };
  const domain = open([small], { onRefused });
  const first = domain.publish({ name: "first" });
  await soon(first.published(), "the first");
  const second = domain.publish({ name: "second" });
  await watch.until(() => refusals.length > 0, "the refusal");
  const [{ error, ...refusal }] = refusals as [Refusal];
  assert.equal(refusal, { address: small.address, command: "publish", id: second.id });
  assert.instance(error, RequestError);
  assert.is((error as RequestError).failReason, "insufficient-resources");
  const [stands] = second.servers;
  assert.equal([stands!.state, stands!.error], ["refused", error]);
  const taken = second.published();
  first.unpublish();
  await soon(taken, "the second");
  assert.is(second.servers[0]!.state, "published");
  assert.is(refusals.length, 1, "it was tried more than once, but told once");
  small.stop();
});

test("callbacks that throw: uncaught exceptions, and the domain goes on", async () => {
  const bug = new Error("bug in the application");
  const errors = await uncaught(async () => {
    const domain = open([a], {
      onLinkState: () => {
        throw bug;
      },
    });
    await soon(domain.publish({}).published(), "the service");
    await domain.close();
    await new Promise((resolve) => setImmediate(resolve));
  });
  assert.ok(errors.length >= 3 && errors.every((error) => error === bug), String(errors));
});

test("watch: the services that match now, as a map that can only be read", async () => {
  const producing = open([a, b]);
  const [lamp, other] = [producing.publish({ kind: "lamp", level: 5 }), producing.publish({ kind: "door" })];
  const consuming = open([a, b]);
  const lamps = consuming.watch("(kind=lamp)");
  assert.is(lamps.size, 0);
  assert.is(
    await soon(
      lamps.until(({ size }) => size === 1),
      "the lamp",
    ),
    lamps,
  );
  assert.ok(lamps.has(lamp!.id) && !lamps.has(other!.id));
  assert.is(lamps.get(lamp!.id)!.first("level"), 5n);
  assert.is(lamps.get(lamp!.id)!.first("nothing"), undefined);
  assert.equal([...lamps.keys()], [lamp!.id]);
  assert.equal(
    [...lamps].map(([id, { serviceId }]) => id === serviceId),
    [true],
  );
  assert.equal(
    [...lamps.values()],
    [...lamps.entries()].map(([, service]) => service),
  );
  let each = 0;
  for (const _ of lamps.values()) each++;
  lamps.forEach((service, id, view) => {
    assert.ok(service.serviceId === id && view === lamps);
    each++;
  });
  assert.is(each, 2);
  lamp!.modify({ kind: "lamp", level: 6 });
  await soon(
    lamps.until((now) => now.get(lamp!.id)?.first("level") === 6n),
    "the change",
  );
  lamp!.unpublish();
  await soon(
    lamps.until(({ size }) => size === 0),
    "the end",
  );
});

test("watch: what ends it, and what until does then", async () => {
  const domain = open([a]);
  const bug = new Error("bug");
  const view = domain.watch();
  assert.is(
    await reasonOf(
      view.until(() => {
        throw bug;
      }),
    ),
    bug,
  );
  const controller = new AbortController();
  const waiting = view.until(({ size }) => size > 0, { signal: controller.signal });
  controller.abort(bug);
  assert.is(await reasonOf(waiting), bug);
  const cancelled = view.until(({ size }) => size > 0);
  view.cancel();
  view.cancel();
  assert.instance(await reasonOf(cancelled), WatchEndedError);
  assert.instance(await reasonOf(view.until(({ size }) => size > 0)), WatchEndedError);
  assert.is(await view.until(({ size }) => size === 0), view, "what holds already is no wait");
  const bySignal = domain.watch(undefined, { signal: AbortSignal.abort() });
  assert.instance(await reasonOf(bySignal.until(() => false)), WatchEndedError);
  const byDomain = domain.watch().until(() => false);
  await domain.close();
  assert.instance(await reasonOf(byDomain), WatchEndedError);
});

test("promises that nobody looks at reject without harm", async () => {
  const unhandled: unknown[] = [];
  const hear = (error: unknown) => unhandled.push(error);
  process.on("unhandledRejection", hear);
  const domain = open([a]);
  void domain.connected({ servers: 9 });
  const service = domain.publish({});
  void service.published({ servers: 9 });
  const view = domain.watch();
  void view.until(() => false);
  await domain.close();
  void domain.connected();
  void service.published();
  void view.until(() => false);
  await new Promise((resolve) => setImmediate(resolve));
  process.off("unhandledRejection", hear);
  assert.equal(unhandled, []);
});

test("matches are easy to log: as JSON with hexadecimal ids, integers beyond 2^53 as text", async () => {
  const service = open([a]).publish({ name: "x", big: 2n ** 60n, level: [-5] });
  const told: DomainMatch[] = [];
  const domain = open([a]);
  const consumer = new Consumer(domain);
  domain.subscribe(undefined, (match) => told.push(match));
  await consumer.sees(1);
  service.unpublish();
  await consumer.sees(0);
  const id = service.id.toString(16);
  assert.equal(
    told.map((match) => JSON.parse(JSON.stringify(match))).map(({ type }) => type),
    ["appeared", "disappeared"],
  );
  const [appeared, gone] = told as [DomainMatch, DomainMatch];
  assert.equal(JSON.parse(JSON.stringify(appeared)).service, {
    id,
    properties: { name: ["x"], big: ["1152921504606846976"], level: [-5] },
  });
  assert.is(JSON.stringify(gone), JSON.stringify({ type: "disappeared", service: { id } }));
  if (appeared.type !== "disappeared") assert.equal([appeared.first("name"), appeared.first("level")], ["x", -5n]);
  assert.equal(jsonProperties(new Map([["__proto__", [1n]]])), JSON.parse('{"__proto__":[1]}'));
});

if (Symbol.asyncDispose === undefined) console.log("no Symbol.asyncDispose in this Node.js: await using is not tested");
else {
  test("await using: the domain is closed at the end of the block", async () => {
    const domain = open([a]);
    const service = domain.publish({ name: "x" });
    const consumer = new Consumer(open([a]));
    await consumer.sees(1);
    await domain[Symbol.asyncDispose]();
    await consumer.sees(0);
    assert.throws(() => service.modify({}), /the domain was closed/);
  });
}

test.run();
