/** Three boards with real directories on a real mosquitto; the boards' clocks are 20 times as fast. */

import { suite } from "uvu";
import * as assert from "uvu/assert";
import { LocalDirectory } from "../../../../src/core/local-directory.js";
import { properties } from "../../../../src/core/properties.js";
import { ServiceDirectory } from "../../../../src/core/service-directory.js";
import { boardNamed, federationGateway } from "../../../../src/gateway/mqtt/federation/gateway.js";
import { bridgeTo, Link } from "../../../peers/link.js";
import { MOSQUITTO_MISSING, Mosquitto, type MosquittoOptions } from "../../../peers/mosquitto.js";
import { FastClock, keptLog } from "../recording-directory.js";

const test = suite("federation and mosquitto");
if (MOSQUITTO_MISSING && process.env.CI === "true") throw new Error(`${MOSQUITTO_MISSING} is missing`);
const check: typeof test.skip = MOSQUITTO_MISSING ? test.skip : test;
if (MOSQUITTO_MISSING)
  console.log(`skipped: ${MOSQUITTO_MISSING} is not installed (apt install mosquitto mosquitto-clients openssl)`);

const SPEED = 20;
const LIMIT_MS = 20_000;
const open: { end(): Promise<void> }[] = [];

test.after.each(async () => {
  for (const one of open.splice(0).reverse()) await one.end();
});

async function broker(options?: MosquittoOptions): Promise<Mosquitto> {
  const mosquitto = await Mosquitto.started(options);
  open.push(mosquitto);
  return mosquitto;
}

/** A board, what its directory shows by name, and what it showed over time. */
function board(name: string, { host, port }: Mosquitto, version: 4 | 5 = 5) {
  const clock = new FastClock(SPEED);
  const domain = new ServiceDirectory({ clock, timers: clock, random: Math.random });
  const directory = new LocalDirectory(domain, "gateway", Math.random);
  const local = new LocalDirectory(domain, "somebody", Math.random);
  const shown = new Map<bigint, string>();
  const history: string[] = [];
  const looks = new Set<() => void>();
  const look = () => {
    for (const one of [...looks]) one();
  };
  const log = keptLog(look);
  local.subscribe(undefined, (match) => {
    const id = match.type === "disappeared" ? match.serviceId : match.service.id;
    if (match.type === "disappeared") shown.delete(id);
    else {
      const { properties: has, orphanSince } = match.service;
      const origin = has.get("federation.board")?.[0] ?? "here";
      shown.set(id, `${has.get("name")?.[0]}@${origin}${orphanSince === undefined ? "" : "!"}`);
    }
    history.push(`${match.type} ${id}`);
    look();
  });
  const gateway = federationGateway(
    { url: `mqtt://${host}:${port}`, board: name, keepaliveSeconds: 5, heartbeatSeconds: 20 },
    { directory, clock, timers: clock, random: Math.random, log },
  );
  if (version === 4)
    Object.assign((gateway as unknown as { connection: { protocol: object } }).connection.protocol, {
      current: version,
      fiveRefused: true,
    });
  gateway.start();
  open.push({ end: () => gateway.stop() });
  const until = (condition: () => boolean) =>
    new Promise<void>((resolve, reject) => {
      const over = (then: () => void) => {
        clearTimeout(limit);
        looks.delete(look);
        then();
      };
      const told = () =>
        `${name}: not within ${LIMIT_MS} ms: ${condition}; ${history.slice(-20)}; ${log.lines.slice(-5)}`;
      const limit = setTimeout(() => over(() => reject(new Error(told()))), LIMIT_MS);
      const look = () => {
        if (condition()) over(resolve);
      };
      looks.add(look);
      look();
    });
  return {
    ...{ history, log, gateway },
    publish: (id: bigint, generation: bigint, service: string) =>
      local.publish({ id, generation, ttlSeconds: 3600n, properties: properties({ name: service }) }),
    withdraw: (id: bigint) => local.unpublish(id),
    shows: (id: bigint, what: string | undefined) => until(() => shown.get(id) === what),
    warns: (what: RegExp) => until(() => log.count(what) > 0),
    /** It has told the others everything so often (the first time, and after each reconnect). */
    complete: (times = 1) => until(() => log.count(/services told/) >= times),
  };
}

check(
  "services of one board are on all; the broker is killed, and forgets everything; nothing disappears",
  async () => {
    const mosquitto = await broker();
    const boards = ["attic", "cellar", "yard"].map((name) => board(name, mosquitto));
    const [attic, cellar, yard] = boards;
    await Promise.all(boards.map((one) => one.complete()));
    await attic.publish(2n ** 63n - 1n, 7n, "lamp");
    await cellar.publish(2n, 1n, "fan");
    for (const one of [cellar, yard]) await one.shows(2n ** 63n - 1n, "lamp@attic");
    for (const one of [attic, yard]) await one.shows(2n, "fan@cellar");
    await mosquitto.kill("SIGKILL");
    await mosquitto.start();
    await Promise.all(boards.map((one) => one.complete(2)));
    await attic.publish(3n, 1n, "heater");
    await yard.shows(3n, "heater@attic");
    await attic.withdraw(2n ** 63n - 1n);
    for (const one of [cellar, yard]) await one.shows(2n ** 63n - 1n, undefined);
    assert.not.ok(yard.history.includes("disappeared 2"));
  },
);

check("giants of a forged board are acknowledged and ignored; what comes after them is read", async () => {
  const mosquitto = await broker();
  // more than the 20 messages without an acknowledgement after which mosquitto waits
  const giants = 24;
  const payload = Buffer.alloc(1_100_000, "x");
  for (let n = 0; n < giants; n++) await mosquitto.publish(`pf1/site/s/forged/${n}`, payload);
  const attic = board("attic", mosquitto, 4);
  const cellar = board("cellar", mosquitto, 4);
  await Promise.all([attic.complete(), cellar.complete()]);
  await attic.publish(1n, 1n, "lamp");
  await cellar.shows(1n, "lamp@attic");
  assert.is(cellar.gateway.state().dropped["message larger than 1 MiB"], giants);
  assert.is(cellar.log.count(/ignored a message of 11000\d\d bytes on topic "pf1\/site\/s\/forged\//), giants);
  assert.is(cellar.log.count(/connection lost/), 0);
});

check("a board that dies leaves orphans; one that says goodbye and comes back does not show", async () => {
  const mosquitto = await broker();
  const attic = board("attic", mosquitto);
  const cellar = board("cellar", mosquitto);
  await Promise.all([attic.complete(), cellar.complete()]);
  await attic.publish(1n, 1n, "lamp");
  await cellar.shows(1n, "lamp@attic");
  const [, stopAttic] = open; // broker, attic, cellar
  await stopAttic.end();
  await cellar.shows(1n, "lamp@attic!");
  const again = board("attic", mosquitto);
  await again.publish(1n, 1n, "lamp");
  await cellar.shows(1n, "lamp@attic");
  assert.not.ok(cellar.history.includes("disappeared 1"));
});

check("a broker that tells a newcomer only a part of what it keeps: it is told, and nothing is withdrawn", async () => {
  const mosquitto = await broker({ lines: ["max_queued_messages 50", "max_inflight_messages 10"] });
  const attic = board("attic", mosquitto);
  await attic.complete();
  for (let id = 1n; id <= 200n; id++) await attic.publish(id, 1n, `s${id}`);
  const cellar = board("cellar", mosquitto, 4); // with MQTT 5 it tells more than that
  await cellar.warns(/The broker told \d+ of the 200 services of attic/);
  assert.not.ok(cellar.history.some((line) => line.startsWith("disappeared")));
});

check("two boards with one name on one broker: both stay connected, and one of them is silent", async () => {
  const mosquitto = await broker();
  const yard = board("yard", mosquitto);
  const first = board("attic", mosquitto);
  await Promise.all([yard.complete(), first.complete()]);
  await first.publish(1n, 1n, "lamp");
  await yard.shows(1n, "lamp@attic");
  const second = board("attic", mosquitto);
  await second.publish(2n, 1n, "fan");
  await Promise.all([
    first.warns(/Another gateway calls itself attic/),
    second.warns(/Another gateway calls itself attic/),
  ]);
  await yard.shows(2n, undefined);
  await yard.shows(1n, "lamp@attic");
  assert.equal(
    [first, second].map(({ log }) => log.count(/connection lost/)),
    [0, 0],
  );
  assert.equal(
    [first, second].map(({ gateway }) => gateway.state().state),
    ["running", "waiting"],
  );
  await open[2].end(); // the first one
  await yard.shows(2n, "fan@attic");
});

check("3,000 services of one board, and a mosquitto with its default settings: a newcomer is told of all", async () => {
  const mosquitto = await broker();
  const attic = board("attic", mosquitto);
  for (let id = 1n; id <= 3000n; id++) await attic.publish(id, 1n, `s${id}`);
  await attic.complete();
  const cellar = board("cellar", mosquitto);
  await cellar.shows(3000n, "s3000@attic");
  for (let id = 1n; id <= 3000n; id++) await cellar.shows(id, `s${id}@attic`);
  assert.is(cellar.log.count(/The broker told/), 0);
});

check(
  "a bridge between two brokers is cut for good: orphans on both sides; it is mended, and all is shown",
  async () => {
    const south = await broker();
    const link = await Link.to(south.port);
    open.push(link);
    const north = await broker({ lines: bridgeTo(link.port, ["pf1/#"]) });
    const attic = board("attic", north);
    const cellar = board("cellar", south);
    await Promise.all([attic.complete(), cellar.complete()]);
    await attic.publish(1n, 1n, "lamp");
    await cellar.publish(2n, 1n, "fan");
    await cellar.shows(1n, "lamp@attic");
    await attic.shows(2n, "fan@cellar");
    link.freeze();
    await Promise.all([cellar.shows(1n, "lamp@attic!"), attic.shows(2n, "fan@cellar!")]);
    assert.is(cellar.log.count(/Nothing new is heard of board attic/), 1);
    assert.ok(cellar.gateway.state().state === "running" && attic.gateway.state().state === "running");
    await attic.publish(1n, 2n, "lantern");
    link.cut();
    link.mend();
    await Promise.all([cellar.shows(1n, "lantern@attic"), attic.shows(2n, "fan@cellar")]);
    assert.not.ok([...attic.history, ...cellar.history].some((line) => line.startsWith("disappeared")));
  },
);

for (const [host, name] of [
  ["attic", "attic"],
  ["my board.lan/#", "my-board.lan-"],
  ["", "board"],
]) {
  test(`a host called "${host}" is the board ${name}`, () => assert.is(boardNamed(host), name));
}

test.run();
