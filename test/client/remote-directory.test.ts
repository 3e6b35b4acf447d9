/** A remote domain at the gateways' counter: real servers, and other clients that get in the way. */

import { suite } from "uvu";
import * as assert from "uvu/assert";
import { attachDirectory } from "../../src/client/attach.js";
import { eventLoop } from "../../src/client/event-loop.js";
import { Session } from "../../src/client/index.js";
import type { RemoteDirectory } from "../../src/client/remote-directory.js";
import type { Match, Service, ServiceState } from "../../src/core/directory-access.js";
import { SILENT } from "../../src/core/log.js";
import { properties } from "../../src/core/properties.js";
import { Publications } from "../../src/gateway/publications.js";
import { endSoon, Watch } from "../support/transport-peers.js";
import { ENV, RestartableServer } from "./attached.js";

const test = suite("remote directory");
let a: RestartableServer;
let b: RestartableServer;
const ends: (() => void)[] = [];

test.before.each(async () => {
  a = await RestartableServer.start();
  b = await RestartableServer.start();
});
test.after.each(() => {
  for (const end of ends.splice(0)) end();
  a.stop();
  b.stop();
  assert.equal(eventLoop().timers.list(), [], "no timer may be left");
});
test.after(endSoon);

function open(...servers: RestartableServer[]): RemoteDirectory {
  const addressed = servers.map(({ address }) => ({ address }));
  const directory = attachDirectory({ servers: addressed }, { env: ENV });
  ends.push(() => directory.close());
  return directory;
}

async function session(server: RestartableServer, clientId: bigint): Promise<Session> {
  const made = await Session.connect(server.address, { clientId });
  ends.push(() => made.close());
  return made;
}

const service = (generation: bigint, name: string, ttlSeconds = 60n): Service => ({
  id: 7n,
  generation,
  ttlSeconds,
  properties: properties({ name }),
});

const runningOut = () =>
  eventLoop()
    .timers.list()
    .filter(({ name }) => name === "remote orphan");

/** What a subscription tells, as text. */
class Follower extends Watch {
  readonly told: string[] = [];

  constructor(directory: RemoteDirectory, filter?: string) {
    super();
    const onMatch = (match: Match) => {
      const of = (state: ServiceState) =>
        `${state.properties.get("name")?.[0]} g${state.generation} t${state.ttlSeconds}`;
      this.told.push(
        match.type === "disappeared" ? `disappeared ${match.serviceId}` : `${match.type} ${of(match.service)}`,
      );
      this.happened();
    };
    const subscription = directory.subscribe(filter, onMatch);
    ends.unshift(() => subscription.cancel());
  }

  hears(text: string): Promise<void> {
    return this.until(() => this.told.at(-1) === text, `${text} (${this.told})`);
  }
}

test("what is published has the given id and generation on every server; then it is changed, and taken back", async () => {
  const directory = open(a, b);
  const followers = [new Follower(open(a)), new Follower(open(b), "(name=*)")];
  assert.is(await directory.publish(service(5n, "one")), "ok");
  for (const follower of followers) await follower.hears("appeared one g5 t60");
  assert.is(await directory.publish(service(9n, "two", 30n)), "ok");
  for (const follower of followers) await follower.hears("modified two g9 t30");
  assert.is(directory.serviceCount, 1);
  assert.is(await directory.unpublish(7n), "ok");
  assert.is(await directory.unpublish(7n), "non-existent-service-id");
  for (const follower of followers) await follower.hears("disappeared 7");
});

test("publish waits for a server, and then everything is there again after each restart", async () => {
  a.stop();
  const directory = open(a);
  const outcome = directory.publish(service(1n, "one"));
  await a.start();
  assert.is(await outcome, "ok");
  a.stop();
  await a.start();
  await new Follower(open(a)).hears("appeared one g1 t60");
});

test("an older generation is refused, and `find` tells which one there is", async () => {
  await (await session(a, 1n)).publish(service(10n, "other"));
  const directory = open(a);
  assert.is(await directory.publish(service(5n, "ours")), "old-generation");
  assert.is((await directory.find(7n))?.generation, 10n);
  assert.is(await directory.find(8n), undefined);
  assert.is(await directory.publish(service(11n, "ours")), "ok");
  assert.is((await directory.find(7n))?.properties.get("name")?.[0], "ours");
});

test("a server where somebody else has a later state: it is left alone while that one lives, then ours takes its place", async () => {
  const other = await session(b, 1n);
  await other.publish(service(10n, "other"));
  const onB = new Follower(open(b));
  await onB.hears("appeared other g10 t60");
  const directory = open(a, b);
  const first = await directory.publish(service(5n, "ours"));
  assert.ok(["ok", "old-generation"].includes(first)); // whichever server answers first
  await new Follower(open(a)).hears("appeared ours g5 t60");
  assert.equal(onB.told, ["appeared other g10 t60"]);
  other.close();
  await onB.hears("modified ours g11 t60");
});

test("what a caller yields to stays as it is", async () => {
  const other = await session(a, 1n);
  await other.publish(service(1n, "other"));
  const directory = open(a);
  const follower = new Follower(directory);
  await follower.hears("appeared other g1 t60");
  assert.is(await directory.publish(service(5n, "ours"), () => true), "yielded");
  assert.is(await directory.publish(service(5n, "ours"), () => false), "ok");
  await follower.hears("modified ours g5 t60");
  assert.is(await directory.unpublish(7n, () => true), "ok"); // it is ours
  await follower.hears("disappeared 7");
});

test("only what is ours is taken back, server by server; what another client owns there stays", async () => {
  const directory = open(a, b);
  const onA = new Follower(open(a));
  const onB = new Follower(open(b));
  assert.is(await directory.publish(service(1n, "one")), "ok");
  for (const follower of [onA, onB]) await follower.hears("appeared one g1 t60");
  const other = await session(a, 1n);
  await other.publish(service(1n, "one"));
  assert.is(await directory.unpublish(7n), "yielded");
  await onB.hears("disappeared 7");
  assert.is((await other.services())[0]?.owner, 1n);
  assert.is(await directory.unpublish(7n, () => false), "yielded", "nothing of ours is left");
  a.stop();
  await a.start();
  await directory.publish({ ...service(1n, "two"), id: 8n });
  await onA.hears("appeared two g1 t60");
  assert.not.ok(
    onA.told.slice(1).some((text) => /one/.test(text)),
    "it does not come back",
  );
});

test("what another client has left behind is removed if the caller takes it", async () => {
  const other = await session(a, 1n);
  await other.publish(service(1n, "other"));
  const directory = open(a);
  const follower = new Follower(open(a));
  await follower.hears("appeared other g1 t60");
  assert.is(await directory.unpublish(7n, ({ orphanSince }) => orphanSince !== undefined), "yielded");
  other.close();
  while ((await directory.find(7n))?.orphanSince === undefined);
  assert.is(await directory.unpublish(7n, ({ orphanSince }) => orphanSince !== undefined), "ok");
  await follower.hears("disappeared 7");
  assert.is(directory.serviceCount, 0);
});

test("what was given up is not published by the next connection, which would take it from who has it now", async () => {
  const directory = open(a);
  assert.is(await directory.publish(service(1n, "one", 1000n)), "ok");
  await directory.orphan(7n);
  a.stop();
  await a.start();
  const other = await session(a, 1n);
  await other.publish(service(1n, "one", 1000n));
  assert.is(await directory.publish({ ...service(1n, "two"), id: 8n }), "ok");
  assert.is((await directory.find(7n))?.owner, 1n);
});

test("an orphan runs out with its TTL, unless it is published again", async () => {
  const directory = open(a);
  const follower = new Follower(open(a));
  assert.is(await directory.publish(service(1n, "one", 1n)), "ok");
  await directory.orphan(7n);
  await directory.orphan(7n);
  assert.is(await directory.publish(service(1n, "one", 1n)), "ok");
  assert.equal(runningOut(), []);
  await directory.orphan(7n);
  await follower.hears("disappeared 7");
  await directory.orphan(7n);
});

test("what a gateway gave up and then wants again stays: its TTL no longer runs", async () => {
  const directory = open(a);
  await directory.publish({ ...service(1n, "connected"), id: 8n });
  const gateway = () => new Publications({ directory, ...eventLoop(), log: SILENT, limit: 1, continues: true });
  for (const claim of ["fresh", "usual", "hearsay"] as const) {
    const publications = gateway();
    const settled = async (done: () => boolean) => {
      while (!done()) await directory.find(7n);
    };
    publications.publish(7n, 60n, properties({ name: "one" }), claim);
    await settled(() => directory.serviceCount === 2);
    publications.release(7n);
    await settled(() => publications.size === 0);
    assert.type((await directory.find(7n))?.orphanSince, "number", "to us, though the server can not know it");
    publications.publish(7n, 60n, properties({ name: "one" }), claim);
    for (let i = 0; i < 10; i++) await directory.find(7n);
    assert.equal(runningOut(), [], claim);
    assert.is((await directory.find(7n))?.orphanSince, undefined);
    await directory.unpublish(7n);
  }
});

test("who publishes again what is just being removed as another one's orphan keeps it", async () => {
  const other = await session(a, 1n);
  await other.publish(service(1n, "other"));
  const directory = open(a);
  await new Follower(directory).hears("appeared other g1 t60");
  other.close();
  while ((await directory.find(7n))?.orphanSince === undefined);
  let back: Promise<unknown> | undefined;
  const removal = directory.unpublish(7n, () => {
    queueMicrotask(() => {
      back = directory.publish(service(2n, "back"));
    });
    return true;
  });
  assert.is(await removal, "yielded");
  assert.is(await back, "ok");
  assert.is((await directory.find(7n))?.generation, 2n);
  assert.is(directory.serviceCount, 1);
});

test("of an orphan that can not be removed, because somebody was faster, nothing is kept", async () => {
  const other = await session(a, 1n);
  await other.publish(service(1n, "other"));
  const directory = open(a);
  await new Follower(directory).hears("appeared other g1 t60");
  const faster = await session(a, 2n);
  other.close();
  while ((await directory.find(7n))?.orphanSince === undefined);
  const removal = directory.unpublish(7n, () => {
    void faster.publish(service(2n, "faster"));
    return true;
  });
  assert.is(await removal, "yielded");
  assert.is((await directory.find(7n))?.owner, 2n);
  assert.is(directory.serviceCount, 0, "or it would be published by the next connection");
});

test("an orphan that somebody else has taken over meanwhile is left to them", async () => {
  const directory = open(a);
  const follower = new Follower(open(a));
  assert.is(await directory.publish(service(1n, "one", 1n)), "ok");
  await directory.orphan(7n);
  const other = await session(a, 1n);
  await other.publish(service(5n, "other", 1n));
  await follower.hears("modified other g5 t1");
  while (directory.serviceCount > 0) await directory.find(7n); // until the TTL is over
  assert.is((await directory.find(7n))?.owner, 1n);
  assert.equal(follower.told, ["appeared one g1 t1", "modified other g5 t1"]);
});

test("what was forgotten is left on the servers, and does not come back with the next connection", async () => {
  const directory = open(a);
  assert.is(await directory.publish(service(1n, "one")), "ok");
  directory.forget(7n);
  directory.forget(7n);
  assert.is(directory.serviceCount, 0);
  assert.is((await directory.find(7n))?.generation, 1n);
  a.stop();
  await a.start();
  const follower = new Follower(directory);
  assert.is(await directory.publish({ ...service(1n, "two"), id: 8n }), "ok");
  await follower.hears("appeared two g1 t60");
  assert.equal(follower.told, ["appeared two g1 t60"]);
});

test("what is forgotten without a server is never published, and who waits for it is answered", async () => {
  a.stop();
  const directory = open(a);
  const outcome = directory.publish(service(1n, "one"));
  directory.forget(7n);
  assert.is(await outcome, "ok");
  await a.start();
  assert.is(await directory.publish({ ...service(1n, "two"), id: 8n }), "ok");
  assert.is(await directory.find(7n), undefined);
});

test("after close nothing is published any more, and what was is left to its TTL", async () => {
  const directory = open(a);
  const follower = new Follower(open(a));
  assert.is(await directory.publish(service(1n, "one", 1n)), "ok");
  directory.close();
  directory.close();
  assert.match(await directory.publish(service(2n, "one")).catch(String), /closed/);
  await follower.hears("disappeared 7");
});

test.run();
