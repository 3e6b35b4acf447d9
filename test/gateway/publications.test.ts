/** What a gateway wants in the directory gets there: generations, refusals, changes while the directory answers. */

import { test } from "uvu";
import * as assert from "uvu/assert";
import type { ServiceState } from "../../src/core/directory-access.js";
import { type Logger, SILENT } from "../../src/core/log.js";
import { properties } from "../../src/core/properties.js";
import { Publications, RETRY_MS } from "../../src/gateway/publications.js";
import { FakeClock } from "../support/fake-clock.js";
import { RecordingDirectory } from "./recording-directory.js";

const A = properties({ name: "a", v: 1 });
const A2 = properties({ name: "a", v: 2 });
const A3 = properties({ name: "a", v: 3 });
const BEGAN_MS = 1_700_000_000_000;

class Bench {
  readonly clock = new FakeClock(BEGAN_MS);
  readonly directory = new RecordingDirectory();
  readonly complaints: string[] = [];
  readonly publications = this.fresh();

  fresh(limit = 10): Publications {
    const note = (text: () => string) => void this.complaints.push(text());
    const log: Logger = { debug() {}, info() {}, warning: note, error: note };
    return new Publications({ directory: this.directory, clock: this.clock, timers: this.clock, log, limit });
  }

  generation(): bigint | undefined {
    return this.directory.services.get(1n)?.generation;
  }
}

const answered = () => new Promise(setImmediate);

test("the first generation is the time in milliseconds; each change adds one; no change sends nothing", async () => {
  const { publications, directory, generation } = bind(new Bench());
  publications.publish(1n, 60n, A);
  await answered();
  assert.is(generation(), BigInt(BEGAN_MS));
  publications.publish(1n, 60n, properties({ v: 1, name: "a" }));
  await answered();
  assert.equal(directory.calls, ["publish a"]);
  publications.publish(1n, 60n, A2);
  await answered();
  assert.is(generation(), BigInt(BEGAN_MS) + 1n);
  publications.publish(1n, 90n, A2);
  await answered();
  assert.is(generation(), BigInt(BEGAN_MS) + 2n);
});

test("a restart continues above, even with a clock that starts in 1970", async () => {
  const bench = new Bench();
  bench.publications.publish(1n, 60n, A);
  await answered();
  const directory = bench.directory;
  const early = new Publications({
    directory,
    clock: new FakeClock(0),
    timers: new FakeClock(0),
    log: SILENT,
    limit: 9,
  });
  early.publish(1n, 60n, A2);
  await answered();
  assert.is(bench.generation(), BigInt(BEGAN_MS) + 1n);
  assert.equal(directory.services.get(1n)!.properties, A2);
});

test("withdrawn is gone, and frees its place; withdrawing what is not there does nothing", async () => {
  const { publications, directory } = bind(new Bench());
  publications.withdraw(7n);
  publications.publish(1n, 60n, A);
  await answered();
  publications.withdraw(1n);
  await answered();
  assert.equal(directory.calls, ["publish a", "unpublish a"]);
  assert.equal([directory.services.size, publications.size], [0, 0]);
});

test("an orphan stays in the directory; publishing the same again takes it back", async () => {
  const { publications, directory, generation } = bind(new Bench());
  publications.publish(1n, 60n, A);
  await answered();
  publications.orphan(1n);
  await answered();
  publications.orphan(1n);
  await answered();
  assert.is(directory.services.get(1n)!.orphanSince, 0);
  publications.publish(1n, 60n, A);
  await answered();
  assert.is(directory.services.get(1n)!.orphanSince, undefined);
  assert.is(generation(), BigInt(BEGAN_MS));
  assert.equal(directory.calls, ["publish a", "orphan a", "publish a"]);
});

test("of changes made while the directory answers, the last one counts", async () => {
  const bench = new Bench();
  const { publications, directory } = bench;
  directory.before = answered as () => Promise<void>;
  for (const wanted of [A, A2, A3]) publications.publish(1n, 60n, wanted);
  await answered();
  publications.withdraw(1n);
  publications.publish(1n, 60n, A2);
  for (let i = 0; i < 10; i++) await answered();
  assert.equal(directory.services.get(1n)!.properties, A2);
  assert.ok(directory.calls.length <= 3, directory.calls.join());
});

test("a change is not lost at any moment of the directory's answer", async () => {
  for (let microtasks = 0; microtasks < 12; microtasks++) {
    const { publications, directory } = bind(new Bench());
    publications.publish(1n, 60n, A);
    for (let i = 0; i < microtasks; i++) await undefined;
    publications.publish(1n, 60n, A2);
    await answered();
    assert.equal(directory.services.get(1n)?.properties, A2, `after ${microtasks} microtasks`);
    publications.withdraw(1n);
    for (let i = 0; i < microtasks; i++) await undefined;
    publications.publish(1n, 60n, A);
    await answered();
    assert.equal(directory.services.get(1n)?.properties, A, `withdrawn, after ${microtasks} microtasks`);
  }
});

test("a refusal is told and not repeated; what is wanted next is sent", async () => {
  const { publications, directory, complaints } = bind(new Bench());
  directory.refusal = "permission-denied";
  publications.publish(1n, 60n, A);
  await answered();
  assert.equal(complaints, ["Service 1 was refused: permission-denied."]);
  assert.equal(directory.calls, ["publish a"]);
  publications.publish(1n, 60n, A3);
  await answered();
  assert.is(complaints.length, 1, "told once");
  directory.refusal = undefined;
  publications.publish(1n, 60n, A2);
  await answered();
  assert.equal(directory.services.get(1n)!.properties, A2);
});

test("a change during a refused publish is sent", async () => {
  const { publications, directory } = bind(new Bench());
  directory.refusal = "permission-denied";
  publications.publish(1n, 60n, A);
  directory.refusal = undefined;
  publications.publish(1n, 60n, A2);
  await answered();
  assert.equal(directory.services.get(1n)!.properties, A2);
});

test("a service that somebody else keeps changing is given up after three tries", async () => {
  const { publications, directory, complaints } = bind(new Bench());
  directory.refusal = "old-generation";
  publications.publish(1n, 60n, A);
  await answered();
  assert.equal(directory.calls, ["publish a", "publish a", "publish a"]);
  assert.match(complaints.join(), /refused three times/);
});

test("a directory that fails is told in the log, and the next change works", async () => {
  const { publications, directory, complaints } = bind(new Bench());
  directory.before = () => Promise.reject(new Error("connection lost"));
  publications.publish(1n, 60n, A);
  await answered();
  assert.equal(complaints, ["Service 1: Error: connection lost"]);
  directory.before = undefined;
  publications.publish(1n, 60n, A);
  await answered();
  assert.is(directory.services.size, 1);
});

test("beyond the limit a service is refused, told once; a freed place can be used", async () => {
  const bench = new Bench();
  const publications = bench.fresh(1);
  assert.is(publications.publish(1n, 60n, A), true);
  assert.is(publications.publish(2n, 60n, A), false);
  assert.is(publications.publish(3n, 60n, A), false);
  assert.is(publications.publish(1n, 60n, A2), true);
  assert.is(bench.complaints.length, 1);
  await answered();
  publications.withdraw(1n);
  await answered();
  assert.is(publications.publish(2n, 60n, A), true);
});

function bind(bench: Bench) {
  const { publications, directory, complaints } = bench;
  return { publications, directory, complaints, generation: () => bench.generation() };
}

test("said again: an orphan is ours again, with the same generation; what was taken back stays so", async () => {
  const { publications, directory } = bind(new Bench());
  publications.publish(1n, 60n, A);
  publications.publish(2n, 60n, A2);
  await answered();
  publications.withdraw(2n);
  await answered();
  await directory.orphan(1n); // by another gateway, which had it for a while
  const before = directory.services.get(1n)!;
  const { length } = directory.calls;
  publications.reassert();
  await answered();
  assert.is(before.orphanSince, 0);
  assert.is(directory.services.get(1n)!.orphanSince, undefined);
  assert.is(directory.services.get(1n)!.generation, before.generation);
  publications.publish(1n, 60n, A); // nothing new
  await answered();
  assert.equal(directory.calls.slice(length), ["publish a"]);
});

test("what was forgotten stays as it is, and is published anew when it is wanted again", async () => {
  const { publications, directory } = bind(new Bench());
  publications.publish(1n, 60n, A);
  await answered();
  publications.forget(1n);
  publications.withdraw(1n);
  await answered();
  assert.equal(directory.calls, ["publish a"]);
  assert.is(publications.size, 0);
  publications.publish(1n, 60n, A);
  await answered();
  assert.equal(directory.calls, ["publish a", "publish a"]);
});

test("forgotten and wanted again while the directory answers: it is published again", async () => {
  const { publications, directory } = bind(new Bench());
  directory.before = answered;
  publications.publish(1n, 60n, A);
  publications.forget(1n);
  publications.publish(1n, 60n, A);
  for (let i = 0; i < 5; i++) await answered();
  assert.equal(directory.calls, ["publish a", "publish a"]);
});

test("forgotten while the directory is asked for its generation: it is not published after all", async () => {
  const { publications, directory } = bind(new Bench());
  directory.refusal = "old-generation";
  publications.publish(1n, 60n, A);
  directory.find = async () => {
    publications.forget(1n);
    directory.refusal = undefined;
    return undefined;
  };
  await answered();
  assert.equal(directory.calls, ["publish a"]);
  assert.is(publications.size, 0);
});

test("the directory is told at once of what is forgotten, also while it has not answered", async () => {
  const { publications, directory } = bind(new Bench());
  directory.before = () => new Promise(() => {});
  const forgotten: bigint[] = [];
  Object.assign(directory, { forget: (id: bigint) => forgotten.push(id) });
  publications.publish(1n, 60n, A);
  publications.forget(1n);
  publications.forget(2n);
  assert.equal(forgotten, [1n]);
});

/** What is there belongs to another client from now on. */
function takenOver(directory: RecordingDirectory, orphanSince?: number): void {
  const { orphanSince: _, ...present } = directory.services.get(1n)!;
  directory.services.set(1n, { ...present, owner: 2n, ...(orphanSince === undefined ? {} : { orphanSince }) });
}

test("withdrawn: what another client publishes by now stays; what is nobody's goes", async () => {
  const { publications, directory } = bind(new Bench());
  for (const orphanSince of [undefined, 5]) {
    publications.publish(1n, 60n, A);
    await answered();
    takenOver(directory, orphanSince);
    publications.withdraw(1n);
    await answered();
    assert.is(directory.services.has(1n), orphanSince === undefined);
    assert.is(publications.size, 0);
    directory.services.clear();
  }
});

test("of others only an orphan is removed", async () => {
  const { publications, directory } = bind(new Bench());
  directory.services.set(1n, { id: 1n, generation: 1n, ttlSeconds: 60n, properties: A, owner: 2n });
  await publications.removeOrphan(1n);
  assert.is(directory.services.size, 1);
  takenOver(directory, 5);
  await publications.removeOrphan(1n);
  assert.is(directory.services.size, 0);
});

test("what was just heard is said again though nothing differs, above what another one has made of it", async () => {
  const { publications, directory, generation } = bind(new Bench());
  publications.publish(1n, 60n, A, "fresh");
  await answered();
  publications.publish(1n, 60n, A, "fresh");
  await answered();
  assert.equal(directory.calls, ["publish a", "publish a"]);
  assert.is(generation(), BigInt(BEGAN_MS));
  directory.services.set(1n, { id: 1n, generation: 9n ** 15n, ttlSeconds: 60n, properties: A2, owner: 2n });
  publications.publish(1n, 60n, A, "fresh");
  await answered();
  assert.equal(directory.services.get(1n)!.properties, A);
  assert.is(directory.services.get(1n)!.owner, directory.clientId);
  assert.is(generation(), 9n ** 15n + 1n);
});

test("hearsay is left to the owner that lives; when that one has given it up, or is gone, it is published", async () => {
  for (const orphanSince of [5, undefined]) {
    const { publications, directory, clock } = new Bench();
    directory.services.set(1n, { id: 1n, generation: 7n, ttlSeconds: 60n, properties: A2, owner: 2n });
    publications.publish(1n, 60n, A, "hearsay");
    await answered();
    clock.advanceMs(RETRY_MS);
    await answered();
    assert.equal(directory.calls, []);
    if (orphanSince === undefined) directory.services.clear();
    else takenOver(directory, orphanSince);
    clock.advanceMs(RETRY_MS);
    await answered();
    assert.equal(directory.services.get(1n)?.properties, A);
    assert.equal(clock.timers(), []);
  }
});

test("what only echoes another directory is taken over though ours is hearsay, and removed like an orphan", async () => {
  const { directory, clock } = new Bench();
  const isEcho = ({ properties: shown }: ServiceState) => shown.has("echo");
  const publications = new Publications({ directory, clock, timers: clock, log: SILENT, limit: 9, isEcho });
  const echo = { id: 1n, generation: 7n, ttlSeconds: 60n, properties: properties({ echo: 1 }), owner: 2n };
  directory.services.set(1n, echo);
  publications.publish(1n, 60n, A, "hearsay");
  await answered();
  assert.equal(directory.services.get(1n)?.properties, A);
  directory.services.set(2n, { ...echo, id: 2n });
  await publications.removeOrphan(2n);
  assert.equal([...directory.services.keys()], [1n]);
});

test("what was refused is tried again, with one timer, until it is there, not wanted any more, or all ends", async () => {
  const { publications, directory, clock, complaints } = new Bench();
  directory.refusal = "permission-denied"; // the orphan of another user
  for (const id of [1n, 2n, 3n]) publications.publish(id, 60n, A);
  await answered();
  publications.withdraw(2n);
  await answered();
  clock.advanceMs(RETRY_MS);
  await answered();
  assert.is(directory.calls.filter((call) => call.startsWith("publish")).length, 5);
  assert.is(complaints.length, 3, "told once each");
  assert.is(clock.timers().length, 1);
  directory.refusal = undefined;
  clock.advanceMs(RETRY_MS);
  await answered();
  assert.equal([...directory.services.keys()], [1n, 3n]);
  assert.equal(clock.timers(), []);
  directory.refusal = "insufficient-resources";
  publications.publish(4n, 60n, A);
  await answered();
  publications.stop();
  assert.equal(clock.timers(), []);
  publications.publish(5n, 60n, A);
  await answered();
  assert.equal(clock.timers(), []);
});

test("a service that is yielded to is neither replaced nor removed", async () => {
  const bench = new Bench();
  const { directory, clock } = bench;
  const isForeign = ({ properties: shown }: ServiceState) => shown.has("foreign");
  const publications = new Publications({
    directory,
    clock,
    timers: clock,
    log: SILENT,
    limit: 9,
    yieldsTo: isForeign,
  });
  const foreign = {
    id: 1n,
    generation: 1n,
    ttlSeconds: 5n,
    properties: properties({ name: "f", foreign: 1 }),
    owner: 2n,
  };
  publications.publish(1n, 60n, A);
  await answered();
  assert.equal(directory.services.get(1n)?.properties, A);
  directory.services.set(1n, foreign);
  publications.publish(1n, 60n, A2);
  await answered();
  publications.withdraw(1n);
  await answered();
  assert.equal(directory.services.get(1n), foreign);
});

test.run();
