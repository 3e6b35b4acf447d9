/** Several boards, one directory: what each shows, when boards and the broker come and go. */

import { test } from "uvu";
import * as assert from "uvu/assert";
import { SeededRandom } from "../../../../scripts/fuzz/random.js";
import { FakeClock } from "../../../support/fake-clock.js";
import { Board, Broker, settled, word } from "./site.js";

function site(...names: string[]) {
  const clock = new FakeClock();
  const broker = new Broker();
  const boards = names.map((name) => new Board(name, clock, broker));
  /** Lets time pass second by second, since what one board says is heard by the others in between. */
  const pass = async (seconds: number) => {
    for (let i = 0; i < seconds * 5; i++) {
      clock.advanceMs(200);
      await settled();
    }
  };
  return { clock, broker, boards, pass };
}

test("a service is shown on every board, with its origin; a change and its end, too", async () => {
  const { boards, pass } = site("attic", "cellar", "yard");
  const [attic, cellar, yard] = boards;
  for (const board of boards) board.connect();
  await attic.publish(1n, 1n, "lamp");
  await pass(1);
  assert.equal(await cellar.services(), { 1: "lamp@attic" });
  assert.equal(await yard.services(), { 1: "lamp@attic" });
  await attic.publish(1n, 2n, "lantern");
  await pass(1);
  assert.equal(await cellar.services(), { 1: "lantern@attic" });
  await attic.local.unpublish(1n);
  await pass(1);
  for (const board of boards) assert.equal(await board.services(), {});
  assert.equal(attic.counts, { boards: 2, imported: 0, exported: 0 });
});

test("what was there before a board came is told to it, and leftovers of its former life are removed", async () => {
  const { broker, boards, pass } = site("attic", "cellar");
  const [attic, cellar] = boards;
  await attic.publish(1n, 1n, "lamp");
  broker.retained.set("pf1/site/s/attic/0000000000000009", "anything");
  attic.connect();
  await pass(1);
  cellar.connect();
  await pass(1);
  assert.equal(await cellar.services(), { 1: "lamp@attic" });
  assert.ok(broker.retained.has("pf1/site/s/attic/0000000000000009"));
  await pass(30);
  assert.equal([...broker.retained.keys()].sort(), [
    "pf1/site/b/attic",
    "pf1/site/b/cellar",
    "pf1/site/s/attic/0000000000000001",
  ]);
});

test("a board is started again: its publishers have time to find it, and what does not come back is withdrawn", async () => {
  const { clock, broker, boards, pass } = site("attic", "cellar");
  const [attic, cellar] = boards;
  for (const board of boards) board.connect();
  for (const id of [1n, 2n, 3n]) await attic.publish(id, 1n, "lamp");
  await pass(1);
  const seen: string[] = [];
  cellar.local.subscribe(undefined, (match) => seen.push(match.type));
  await settled();
  attic.die();
  await pass(5);
  const again = new Board("attic", clock, broker);
  again.connect();
  await pass(10);
  await again.publish(1n, 1n, "lamp");
  await again.publish(2n, 1n, "lamp");
  await pass(1);
  assert.equal(seen, ["appeared", "appeared", "appeared"]);
  await again.local.unpublish(2n);
  await pass(1);
  assert.equal(await cellar.services(), { 1: "lamp@attic", 3: "lamp@attic" });
  await pass(20);
  assert.equal(await cellar.services(), { 1: "lamp@attic" });
  assert.equal(seen, ["appeared", "appeared", "appeared", "disappeared", "disappeared"]);
});

test("a service that another board gives up for what is kept of us stays here, too, until its publisher is back", async () => {
  const { clock, broker, boards, pass } = site("attic", "cellar");
  const [attic, cellar] = boards;
  for (const board of boards) board.connect();
  await cellar.publish(1n, LATE, "lamp");
  await pass(1);
  cellar.die();
  await attic.publish(1n, LATE + 1n, "lamp, changed"); // as the gateway that takes a device over
  await pass(12);
  const again = new Board("cellar", clock, broker);
  again.connect();
  await pass(1);
  assert.equal(await again.services(), { 1: "lamp, changed@attic" });
  const seen: string[] = [];
  again.local.subscribe(undefined, ({ type }) => seen.push(type));
  await settled();
  await attic.local.orphan(1n); // as the one that hands it back
  await pass(5);
  assert.equal(await attic.services(), { 1: "lamp@cellar" });
  assert.equal(await again.services(), { 1: "lamp, changed@attic!" });
  assert.is(await again.publish(1n, LATE + 2n, "lamp, again"), "ok");
  await pass(1);
  assert.equal(await attic.services(), { 1: "lamp, again@cellar" });
  assert.not.ok(seen.includes("disappeared"), seen.join(", "));
});

test("a board dies: after a grace its services are orphans, and go with their TTL", async () => {
  const { boards, pass } = site("attic", "cellar");
  const [attic, cellar] = boards;
  for (const board of boards) board.connect();
  await attic.publish(1n, 1n, "lamp", 20n);
  await pass(1);
  attic.die();
  await pass(9);
  assert.equal(await cellar.services(), { 1: "lamp@attic" });
  await pass(2);
  assert.equal(await cellar.services(), { 1: "lamp@attic!" });
  await pass(20);
  assert.equal(await cellar.services(), {});
});

test("a short absence of a board, or of the broker, is not noticed", async () => {
  const { boards, pass } = site("attic", "cellar");
  const [attic, cellar] = boards;
  for (const board of boards) board.connect();
  await attic.publish(1n, 1n, "lamp");
  await pass(1);
  const seen: string[] = [];
  cellar.local.subscribe(undefined, (match) => seen.push(match.type));
  await settled();
  attic.disconnect();
  await pass(5);
  attic.connect();
  await pass(30);
  cellar.disconnect();
  await pass(5);
  cellar.connect();
  await pass(30);
  assert.equal(seen, ["appeared"]);
});

test("the broker forgets everything: each board tells again, and nothing disappears", async () => {
  const { broker, boards, pass } = site("attic", "cellar");
  const [attic, cellar] = boards;
  for (const board of boards) board.connect();
  await attic.publish(1n, 1n, "lamp");
  await pass(1);
  for (const board of boards) board.disconnect(false);
  broker.retained.clear();
  cellar.connect();
  await pass(4);
  attic.connect();
  await pass(30);
  assert.equal(await cellar.services(), { 1: "lamp@attic" });
});

test("what was withdrawn while we could not hear is withdrawn when the board has told everything", async () => {
  const { boards, pass } = site("attic", "cellar");
  const [attic, cellar] = boards;
  for (const board of boards) board.connect();
  await attic.publish(1n, 1n, "lamp");
  await attic.publish(2n, 1n, "fan");
  await pass(1);
  cellar.disconnect();
  await attic.local.unpublish(1n);
  await pass(1);
  cellar.connect();
  await pass(4);
  assert.equal(await cellar.services(), { 1: "lamp@attic", 2: "fan@attic" });
  await pass(2);
  assert.equal(await cellar.services(), { 2: "fan@attic" });
});

test("the same service on several boards: each shows its own, a third that of the first by name", async () => {
  const { boards, pass } = site("attic", "cellar", "yard");
  const [attic, cellar, yard] = boards;
  for (const board of boards) board.connect();
  await cellar.publish(1n, 5n, "printer, from the cellar");
  await pass(1);
  assert.equal(await attic.services(), { 1: "printer, from the cellar@cellar" });
  assert.is(await attic.publish(1n, 3_000_000_000_000n, "printer"), "ok"); // as a gateway there that finds it, too
  await pass(1);
  assert.equal(await attic.services(), { 1: "printer@here" });
  assert.equal(await cellar.services(), { 1: "printer, from the cellar@here" });
  assert.equal(await yard.services(), { 1: "printer@attic" });
  await attic.local.unpublish(1n);
  await pass(1);
  assert.equal(await attic.services(), { 1: "printer, from the cellar@cellar" });
  assert.equal(await yard.services(), { 1: "printer, from the cellar@cellar" });
});

test("a service whose board is gone lasts as long as its TTL, although a board that had it before untells it", async () => {
  const { boards, pass } = site("attic", "cellar", "yard");
  const [attic, cellar, yard] = boards;
  for (const board of boards) board.connect();
  await attic.publish(1n, 1n, "lamp");
  await yard.publish(1n, 2n, "lamp");
  await pass(1);
  yard.die();
  await pass(15);
  await attic.local.unpublish(1n);
  await pass(1);
  assert.equal(await cellar.services(), { 1: "lamp@attic!" });
  await pass(20);
  assert.equal(await cellar.services(), {});
});

test("a service that another board publishes now is taken from there, without a gap, when its owner here has gone", async () => {
  const { boards, pass } = site("attic", "cellar", "yard");
  const [attic, cellar, yard] = boards;
  for (const board of boards) board.connect();
  await attic.publish(1n, 1n, "lamp");
  await attic.publish(2n, 1n, "fan");
  await cellar.publish(1n, 2n, "lamp, changed"); // as the gateway that takes a device over
  await pass(1);
  const seen: string[] = [];
  for (const board of boards) board.local.subscribe("(name=lamp*)", ({ type }) => seen.push(`${board.name} ${type}`));
  await settled();
  seen.length = 0;
  for (const id of [1n, 2n]) await attic.local.orphan(id); // as the one that hands over
  await pass(1);
  assert.equal(await attic.services(), { 1: "lamp, changed@cellar", 2: "fan@here!" });
  assert.equal(await yard.services(), { 1: "lamp, changed@cellar", 2: "fan@attic" });
  await pass(30);
  assert.equal(await attic.services(), { 1: "lamp, changed@cellar" });
  assert.not.ok(
    seen.some((one) => one.includes("disappeared")),
    seen.join(", "),
  );
});

test("a board in two federations passes services on, and none goes round in a circle", async () => {
  const clock = new FakeClock();
  const [north, south] = [new Broker(), new Broker()];
  const left = new Board("left", clock, north, { name: "north" });
  const right = new Board("right", clock, south, { name: "south" });
  const middle = new Board("middle", clock, north, { name: "north" });
  const alsoMiddle = middle.inAnother(south, { name: "south" });
  for (const board of [left, right, middle, alsoMiddle]) board.connect();
  await left.publish(1n, 1n, "lamp");
  await right.publish(2n, 1n, "fan");
  for (let i = 0; i < 75; i++) {
    clock.advanceMs(200);
    await settled();
  }
  assert.equal(await right.services(), { 1: "lamp@left", 2: "fan@here" });
  assert.equal(await left.services(), { 1: "lamp@here", 2: "fan@right" });
  const messages = north.messages + south.messages;
  for (let i = 0; i < 100; i++) {
    clock.advanceMs(1000);
    await settled();
  }
  assert.is(north.messages + south.messages, messages);
});

/** Two boards of one name, and a third one that sees them. */
async function namesakes(services: number, between: (pass: (seconds: number) => Promise<void>) => Promise<void>) {
  const { clock, broker, boards, pass } = site("yard");
  const [yard] = boards;
  yard.connect();
  const first = new Board("attic", clock, broker);
  const second = new Board("attic", clock, broker);
  for (let i = 0; i < services; i++) {
    await first.publish(BigInt(1 + i), 1n, `first ${i}`);
    await second.publish(BigInt(100_001 + i), 1n, `second ${i}`);
  }
  first.connect();
  await between(pass);
  second.connect();
  return { broker, yard, first, second, pass };
}

test("two boards with one name: the one that was there first stays, both warn, once, and it is quiet", async () => {
  for (let round = 0; round < 10; round++) {
    const { broker, yard, first, second, pass } = await namesakes(2, (pass) => pass(40));
    await pass(10);
    assert.equal(await yard.services(), { 1: "first 0@attic", 2: "first 1@attic" });
    assert.is(first.log.length, 1);
    assert.match(
      first.log[0],
      /Another gateway calls itself attic, too: .*this one tells its services, that one does not/,
    );
    assert.is(second.log.length, 1);
    assert.match(
      second.log[0],
      /Another gateway calls itself attic, too: .*that one tells its services, this one does not/,
    );
    assert.equal([first.isHeard, second.isHeard], [true, false]);
    const { messages } = broker;
    await pass(300);
    assert.is(broker.messages, messages);
    first.die();
    await pass(35);
    assert.equal(await yard.services(), { 100001: "second 0@attic", 100002: "second 1@attic" });
    assert.ok(second.isHeard);
  }
});

test("two boards with one name start at once: one of them stays, always the same one, after few messages", async () => {
  for (let round = 0; round < 10; round++) {
    const { broker, yard, first, second, pass } = await namesakes(500, async () => {});
    await pass(10);
    const stays = first.instance < second.instance ? first : second;
    assert.equal([first.isHeard, second.isHeard], [stays === first, stays === second]);
    await pass(60);
    assert.ok(broker.messages < 2500, `${broker.messages} messages`);
    const shown = Object.values(await yard.services());
    assert.is(shown.length, 500);
    assert.ok(shown.every((one) => one.startsWith(stays === first ? "first" : "second")));
    const { messages } = broker;
    await pass(300);
    assert.is(broker.messages, messages);
  }
});

for (const secondsBetween of [0, 1, 7]) {
  test(`64 boards with one name, ${secondsBetween} s after each other: one stays, after few messages`, async () => {
    const { clock, broker, boards, pass } = site("yard");
    boards[0].connect();
    const copies = Array.from({ length: 64 }, () => new Board("attic", clock, broker));
    for (const [i, copy] of copies.entries()) {
      for (let n = 1; n <= 5; n++) await copy.publish(BigInt(100 * i + n), 1n, `of ${i}`);
      copy.connect();
      if (secondsBetween > 0) await pass(secondsBetween);
    }
    await pass(secondsBetween === 0 ? 40 : 130);
    assert.is(copies.filter(({ isHeard }) => isHeard).length, 1);
    const messages = () => broker.messages + broker.heartbeats;
    assert.ok(messages() < 64 * 200, `${messages()} messages`);
    assert.is(Object.keys(await boards[0].services()).length, 5);
    const before = messages();
    await pass(600);
    assert.is(messages() - before, 2 * 10);
    copies.find(({ isHeard }) => isHeard)!.die();
    await pass(40);
    assert.is(copies.filter(({ isHeard }) => isHeard).length, 1);
    assert.is(Object.keys(await boards[0].services()).length, 5);
  });
}

for (let round = 0; round < 6; round++) {
  test(`two boards with one name, each long there on its side of a bridge that is mended: one stays (${round})`, async () => {
    const { clock, broker: north, boards, pass } = site("yard");
    const south = new Broker();
    const first = new Board("attic", clock, north);
    const second = new Board("attic", clock, south);
    boards[0].connect();
    for (let i = 0; i < 300; i++) {
      await first.publish(BigInt(1 + i), 1n, `first ${i}`);
      await second.publish(BigInt(1 + i), 1n, `second ${i}`);
    }
    first.connect();
    second.connect();
    await pass(60);
    const before = north.messages + south.messages;
    north.bridgeTo(south);
    await pass(120);
    const told = north.messages + south.messages - before;
    assert.equal([first.isHeard, second.isHeard], [first.instance < second.instance, first.instance > second.instance]);
    const shown = Object.values(await boards[0].services());
    assert.is(shown.length, 300);
    assert.ok(shown.every((one) => one.startsWith(first.isHeard ? "first" : "second")));
    assert.ok(told < 4000, `${told} messages`);
    const { messages } = north;
    await pass(300);
    assert.is(north.messages, messages);
  });
}

test("the one that fell silent for another of its name takes over when nothing new is heard of that one", async () => {
  const { broker, yard, second, pass } = await namesakes(2, (pass) => pass(40));
  await pass(10);
  assert.not(second.isHeard);
  broker.mayWrite = (_, __, instance) => instance === second.instance;
  await pass(190);
  assert.ok(second.isHeard);
  assert.equal(await yard.services(), { 100001: "second 0@attic", 100002: "second 1@attic" });
});

test("a board that is silent for another of its name still notices who falls silent", async () => {
  const { broker, yard, second, pass } = await namesakes(2, (pass) => pass(40));
  await yard.publish(7n, 1n, "gate", 3600n);
  await pass(10);
  assert.equal(await second.services(), { 7: "gate@yard", 100001: "second 0@here", 100002: "second 1@here" });
  broker.mayWrite = (board) => board !== "yard";
  await pass(190);
  assert.not.ok(second.isHeard);
  assert.is((await second.services())[7], "gate@yard!");
});

test("a board that takes less than another one tells withdraws nevertheless what that one has withdrawn", async () => {
  const { clock, broker, boards, pass } = site("attic");
  const [attic] = boards;
  const cellar = new Board("cellar", clock, broker, { maxServicesPerBoard: 3 });
  for (const board of [attic, cellar]) board.connect();
  for (let id = 1n; id <= 20n; id++) await attic.publish(id, 1n, `s${id}`);
  await pass(20);
  assert.is(Object.keys(await cellar.services()).length, 3);
  cellar.disconnect();
  await attic.local.unpublish(2n);
  await pass(12);
  cellar.connect();
  await pass(10);
  assert.not.ok("2" in (await cellar.services()));
  assert.equal(cellar.log, []);
});

test("what another user's orphan stands in the way of is shown when that one is gone", async () => {
  const { boards, pass } = site("attic", "cellar");
  const [attic, cellar] = boards;
  for (const board of boards) board.connect();
  const stranger = cellar.user("uid:1000");
  await stranger.publish({ id: 1n, generation: 1n, ttlSeconds: 30n, properties: new Map([["name", ["old lamp"]]]) });
  stranger.close();
  await pass(1);
  assert.is(await attic.publish(1n, LATE, "lamp"), "ok");
  await pass(10);
  assert.equal(await cellar.services(), { 1: "old lamp@here!" });
  await pass(20);
  assert.equal(await cellar.services(), { 1: "lamp@attic" });
});

for (const [title, stale] of [
  ["of its former life", word(5)],
  ["of a former life that was longer", word(5, { age: 99_999_999 })],
  ["that it is gone", "0;aaaaaaaaaaaa"],
  ["that it is gone for good", ""],
] as const) {
  test(`a bridge brings what another broker kept of a board, ${title}: it says how it is, and tells all`, async () => {
    const { broker, boards, pass } = site("attic", "cellar");
    const [attic, cellar] = boards;
    cellar.connect();
    await pass(1);
    // Between the board's presence and its subscription.
    const { replay } = broker;
    broker.replay = (peer) => {
      broker.replay = replay;
      broker.retained.set("pf1/site/b/attic", stale);
      broker.replay(peer);
    };
    attic.connect();
    await attic.publish(1n, 1n, "lamp");
    await pass(3);
    assert.equal(await cellar.services(), { 1: "lamp@attic" });
    const itsOwn = new RegExp(`^1;${attic.instance};[0-9]+;60;1(;a{12})?$`);
    await pass(3);
    assert.match(broker.kept("pf1/site/b/attic"), itsOwn);
    broker.publish("pf1/site/b/attic", stale);
    await pass(3);
    assert.match(broker.kept("pf1/site/b/attic"), itsOwn);
    const { messages } = broker;
    await pass(60);
    assert.is(broker.messages, messages);
  });
}

test("what the broker refuses for its size is told by count, and what it keeps of it is removed", async () => {
  const { broker, boards, pass } = site("attic", "cellar");
  const [attic, cellar] = boards;
  for (const board of boards) board.connect();
  await attic.publish(1n, 1n, "lamp");
  await pass(1);
  broker.maxPayload = 500;
  await attic.publish(1n, 2n, "x".repeat(1000));
  await pass(1);
  assert.equal(await cellar.services(), {});
  assert.equal(attic.dropped, { "larger than the broker accepts": 1 });
});

test("a board that is gone for good is forgotten, and one of the others tidies up after it", async () => {
  const { broker, clock, boards, pass } = site("attic", "cellar", "yard");
  const [attic, , yard] = boards;
  for (const board of boards) board.connect();
  await attic.publish(1n, 1n, "lamp");
  await pass(1);
  attic.die();
  for (let i = 0; i < 370; i++) {
    clock.advanceMs(10_000);
    await settled();
  }
  assert.equal([...broker.retained.keys()].sort(), ["pf1/site/b/cellar", "pf1/site/b/yard"]);
  assert.equal(yard.counts, { boards: 1, imported: 0, exported: 0 });
});

test("a bridge that was cut for hours is mended: what was tidied up meanwhile does not go where it is alive", async () => {
  const { clock, broker: north, boards, pass } = site("attic", "yard");
  const south = new Broker();
  const cellar = new Board("cellar", clock, south);
  const [attic, yard] = boards;
  south.bridgeTo(north);
  for (const board of [attic, yard, cellar]) board.connect();
  await attic.publish(1n, 1n, "lamp");
  await pass(5);
  south.cut();
  for (let i = 0; i < 500; i++) {
    clock.advanceMs(10_000);
    await settled();
  }
  assert.equal(await cellar.services(), {});
  assert.equal([...south.retained.keys()], ["pf1/site/b/cellar"]);
  const seen: string[] = [];
  yard.local.subscribe(undefined, (match) => seen.push(match.type));
  await settled();
  south.mend(north, clock.monotonicMs());
  await pass(30);
  assert.equal(await cellar.services(), { 1: "lamp@attic" });
  assert.equal(seen, ["appeared"]);
});

test("a broker that takes nothing for a while gets everything afterwards, and the end of the telling", async () => {
  const { broker, boards, pass } = site("attic", "cellar");
  const [attic, cellar] = boards;
  cellar.connect();
  for (let id = 1n; id <= 12n; id++) await attic.publish(id, 1n, `s${id}`);
  attic.connect();
  broker.isBusy = true;
  await pass(5);
  broker.isBusy = false;
  await pass(2);
  assert.is(Object.keys(await cellar.services()).length, 12);
  assert.match(broker.kept("pf1/site/b/attic"), /^1;[0-9a-f]{12};\d+;60;12$/);
  broker.isBusy = true;
  await attic.publish(13n, 1n, "late");
  await pass(1);
  broker.isBusy = false;
  await pass(1);
  assert.is((await cellar.services())[13], "late@attic");
});

test("the presence, too, is told again when the broker does not take it", async () => {
  const { broker, boards, pass } = site("attic");
  const [attic] = boards;
  broker.isBusy = true;
  attic.connect();
  await pass(1);
  broker.isBusy = false;
  await pass(2);
  assert.match(broker.kept("pf1/site/b/attic"), /^1;/);
});

test("services that change without pause do not put off that the board has told all, and are held then", async () => {
  const { clock, broker, boards, pass } = site("attic");
  const [attic] = boards;
  await attic.publish(1n, 1n, "lamp");
  attic.connect();
  for (let round = 0; round < 100; round++) {
    for (let id = 1n; id <= 30n; id++) await attic.publish(id, 2n + BigInt(round), `s${round}`);
    clock.advanceMs(50);
    await settled();
  }
  assert.match(broker.kept("pf1/site/b/attic"), /^1;/);
  assert.ok(broker.messages <= 600, `${broker.messages} messages in 5 s`);
  const { messages } = broker;
  await pass(50);
  assert.is(broker.messages, messages);
  await pass(15);
  assert.match(broker.kept("pf1/site/s/attic/000000000000001e"), /s99/);
  assert.is(attic.log.length, 1);
  assert.match(attic.log[0], /changes all the time; held for a minute/);
});

test("a service that flaps is held with what was told last, for a minute; one that is not there at all is told", async () => {
  const { broker, boards, pass } = site("attic", "cellar");
  const [attic, cellar] = boards;
  for (const board of boards) board.connect();
  await attic.publish(2n, 1n, "fan");
  await pass(5);
  const { messages } = broker;
  for (let round = 0; round < 60; round++) {
    await attic.publish(1n, BigInt(round), `lamp ${round}`);
    await attic.publish(2n, BigInt(2 + round), `fan ${round}`);
    await pass(0.4);
    await attic.local.unpublish(1n);
    await pass(0.4);
  }
  assert.ok(broker.messages - messages <= 24, `${broker.messages - messages} messages`);
  assert.equal(await cellar.services(), { 1: "lamp 6@attic", 2: "fan 5@attic" });
  await pass(60);
  assert.equal(await cellar.services(), { 2: "fan 59@attic" });
});

test("a board that comes back after it was forgotten, but not cleared, is shown completely", async () => {
  const { broker, clock, boards, pass } = site("attic", "cellar");
  const [attic, cellar] = boards;
  broker.mayWrite = (board, topic) => topic.split("/")[3] === board;
  for (const board of boards) board.connect();
  await attic.publish(1n, 1n, "lamp");
  await pass(1);
  attic.disconnect();
  for (let i = 0; i < 370; i++) {
    clock.advanceMs(10_000);
    await settled();
  }
  assert.equal(await cellar.services(), {});
  attic.connect();
  await pass(10);
  assert.equal(await cellar.services(), { 1: "lamp@attic" });
});

test("a broker that replays only a part: what was not heard again stays, and it is told", async () => {
  const { broker, boards, pass } = site("attic", "cellar");
  const [attic, cellar] = boards;
  for (const board of boards) board.connect();
  for (let id = 1n; id <= 5n; id++) await attic.publish(id, 1n, `s${id}`);
  await pass(15);
  const all = await cellar.services();
  assert.is(Object.keys(all).length, 5);
  cellar.disconnect();
  broker.maxReplay = 3;
  cellar.connect();
  await pass(60);
  assert.equal(await cellar.services(), all);
  assert.equal(cellar.log, [
    "The broker told 3 of the 5 services of attic: does it keep fewer messages for a client (mosquitto: max_queued_messages)?",
  ]);
  await attic.local.unpublish(1n);
  broker.maxReplay = 10;
  cellar.disconnect();
  cellar.connect();
  await pass(20);
  assert.is(Object.keys(await cellar.services()).length, 4);
  assert.is(cellar.log.length, 1);
});

test("a board that claims now more, now fewer services than it tells causes one replay, and one warning", async () => {
  const { broker, boards, pass } = site("cellar");
  const [cellar] = boards;
  let replays = -1; // but for that of the connection
  const { replay } = broker;
  broker.replay = (...said) => {
    replays++;
    replay.apply(broker, said);
  };
  cellar.connect();
  for (let age = 1; age <= 19; age++) {
    cellar.hear("pf1/site/b/attic", word(age % 2 === 0 ? 0 : 50 + age, { age }));
    await pass(25);
  }
  for (let age = 20; age < 30; age++) {
    cellar.hear("pf1/site/b/attic", word(50 + age, { age }));
    await pass(25);
  }
  assert.is(replays, 1);
  assert.is(cellar.log.length, 1);
});

test("a board whose number of services was old when we came is not doubted for long, and nothing is told", async () => {
  const { boards, pass } = site("attic", "cellar");
  const [attic, cellar] = boards;
  await attic.publish(1n, 1n, "lamp");
  await attic.publish(2n, 1n, "fan");
  attic.connect();
  await pass(1);
  await attic.local.unpublish(1n);
  await pass(1);
  cellar.connect();
  await pass(60);
  assert.equal(await cellar.services(), { 2: "fan@attic" });
  assert.equal(cellar.log, []);
});

test("a board that may not write, or not read, says so, once", async () => {
  const { broker, boards, pass } = site("attic");
  const [attic] = boards;
  broker.mayWrite = () => false;
  attic.connect();
  await attic.publish(1n, 1n, "lamp");
  await pass(100);
  assert.is(attic.log.length, 1);
  assert.match(attic.log[0], /pf1\/site\/b\/attic does not come back from the broker/);
  broker.mayWrite = () => true;
  await pass(32);
  assert.match(broker.kept("pf1/site/b/attic"), /^1;[0-9a-f]{12};\d+;60;1$/);
});

test("a board that may not write says so, also where others are heard all the time", async () => {
  const { broker, boards, pass } = site("attic", "cellar");
  const [attic, cellar] = boards;
  cellar.connect();
  await pass(1);
  broker.mayWrite = (board) => board !== "attic";
  attic.connect();
  for (let i = 0; i < 8; i++) {
    await cellar.publish(1n, BigInt(i), `lamp ${i}`);
    await pass(8);
  }
  assert.is(attic.log.length, 1);
  assert.match(attic.log[0], /pf1\/site\/b\/attic does not come back from the broker/);
  assert.not(attic.isHeard);
  assert.ok(cellar.isHeard);
});

test("the will of an older connection, before or after we have told all, is corrected, but not at any rate", async () => {
  const { broker, boards, pass } = site("attic", "cellar");
  const [attic] = boards;
  await attic.publish(1n, 1n, "lamp");
  const { publish } = broker;
  broker.publish = (topic, payload, board) => {
    const result = publish.call(broker, topic, payload, board);
    if (payload.startsWith("2;")) broker.retained.set(topic, "0"); // before we subscribe
    return result;
  };
  attic.connect();
  broker.publish = publish;
  await pass(3);
  assert.match(broker.kept("pf1/site/b/attic"), /^1;[0-9a-f]{12};\d+;60;1$/);
  const told = broker.messages + broker.heartbeats;
  for (let i = 0; i < 100; i++) attic.hear("pf1/site/b/attic", "0");
  await pass(2);
  assert.is(broker.messages + broker.heartbeats, told + 1);
});

test("after its end a board does nothing, and leaves no timer", async () => {
  const { clock, boards, pass } = site("attic", "cellar");
  const [attic, cellar] = boards;
  for (const board of boards) board.connect();
  await attic.publish(1n, 1n, "lamp");
  await pass(1);
  attic.leave();
  cellar.leave();
  cellar.hear("pf1/site/b/yard", word(1));
  cellar.hear("pf1/site/b/cellar", "0;aaaaaaaaaaaa");
  await settled();
  assert.equal(
    clock.timers().filter((name) => name.startsWith("federation")),
    [],
  );
});

for (const [topic, payload] of [
  ["pf1/site/s/attic/0000000000000001", "{"],
  ["pf1/site/s/attic/0000000000000001", '{"generation":-1,"ttl":1,"path":["site"],"via":["attic"],"properties":{}}'],
  ["pf1/site/s/attic/0000000000000001", '{"generation":1,"ttl":1,"properties":{}}'],
  ["pf1/site/s/attic/8000000000000001", '{"generation":1,"ttl":1,"path":["site"],"via":["attic"],"properties":{}}'],
  ["pf1/site/s/attic/1", "{}"],
  ["pf1/site/b/attic", word(1, { state: 3 })],
  ["pf1/site/b/attic", word(1, { instance: "AAAAAAAAAAAA" })],
  ["pf1/site/b/attic", "1;1700000000;1"],
  ["pf1/site/b/at+tic", word(1)],
  ["pf1/site/x/attic", "1"],
  ["pf2/site/b/attic", word(1)],
  [
    "pf1/site/s/attic/0000000000000001",
    '{"generation":1,"ttl":1,"path":["site"],"via":["attic"],"properties":{"federation.board":["x"]}}',
  ],
  [
    "pf1/site/s/attic/0000000000000001",
    '{"generation":1,"ttl":1,"path":["site"],"via":["attic"],"properties":{"port":[9223372036854775808]}}',
  ],
]) {
  test(`not understood: ${topic} ${payload}`, async () => {
    const { boards, pass } = site("cellar");
    const [cellar] = boards;
    cellar.connect();
    cellar.hear(topic, payload);
    cellar.hear("pf1/site/b/attic", word(1));
    await pass(1);
    assert.equal(await cellar.services(), {});
    assert.equal(cellar.dropped, { "not understood": 1 });
    assert.is(cellar.log.length, 1);
  });
}

test("a record whose origin contradicts its topic, or that came from here, is dropped", async () => {
  const { boards, pass } = site("cellar");
  const [cellar] = boards;
  cellar.connect();
  const record = (via: string, path: string) =>
    `{"generation":1,"ttl":9,"path":${path},"via":${via},"properties":{"name":["x"]}}`;
  cellar.hear("pf1/site/b/attic", word(1));
  cellar.hear("pf1/site/s/attic/0000000000000001", record('["yard"]', '["site"]'));
  cellar.hear("pf1/site/s/attic/0000000000000001", record('["attic"]', '["elsewhere"]'));
  cellar.hear("pf1/site/s/attic/0000000000000001", record('["cellar","attic"]', '["site"]'));
  await pass(1);
  assert.equal(await cellar.services(), {});
  assert.equal(cellar.dropped, { "its origin contradicts its topic": 2, "came from here": 1 });
});

test("no board can forge how another one's gateways are doing", async () => {
  const { boards, pass } = site("cellar");
  const [cellar] = boards;
  cellar.connect();
  cellar.hear("pf1/site/b/attic", word(1));
  const properties = '{"name":["mqtt"],"src":["x","gateway:cellar"]}';
  const record = `{"generation":1,"ttl":9,"path":["site"],"via":["attic"],"properties":${properties}}`;
  cellar.hear("pf1/site/s/attic/0000000000000001", record);
  await pass(1);
  assert.equal(await cellar.services(), {});
  assert.equal(cellar.dropped, { "how a gateway is doing": 1 });
});

test("what a board can make us hold is bounded in bytes, too; a change and an end give them back", async () => {
  const { boards, pass } = site("cellar");
  const [cellar] = boards;
  cellar.connect();
  cellar.hear("pf1/site/b/attic", word(1));
  const big = JSON.stringify(Array.from({ length: 2 }, (_, i) => `${i}${"x".repeat(62_000)}`));
  const record = (properties: string) =>
    `{"generation":1,"ttl":9,"path":["site"],"via":["attic"],"properties":${properties}}`;
  const topic = (i: number) => `pf1/site/s/attic/${i.toString(16).padStart(16, "0")}`;
  const tell = (i: number) => cellar.hear(topic(i), record(`{"big":${big}}`));
  const fitting = Math.floor((64 * 1024 * 1024) / record(`{"big":${big}}`).length);
  for (let i = 0; i < fitting; i++) tell(i);
  for (let again = 0; again < 3; again++) tell(5);
  assert.equal(cellar.dropped, {});
  tell(fitting);
  assert.equal(cellar.dropped, { "more bytes than a board may have": 1 });
  cellar.hear(topic(0), "");
  tell(fitting);
  cellar.hear(topic(1), record('{"name":["small"]}'));
  tell(fitting + 1);
  tell(fitting + 2);
  assert.equal(cellar.dropped, { "more bytes than a board may have": 2 });
  await pass(1);
});

const record = (name: string, board = "attic") =>
  `{"generation":1,"ttl":30,"path":["site"],"via":["${board}"],"properties":{"name":["${name}"]}}`;

test("a board that dies together with its broker: its services are orphans after three heartbeats, then they go", async () => {
  const { broker, boards, pass } = site("attic", "cellar");
  const [attic, cellar] = boards;
  for (const board of boards) board.connect();
  await attic.publish(1n, 1n, "lamp", 20n);
  await pass(70);
  broker.mayWrite = (board) => board !== "attic"; // nothing comes from there any more, and no will
  await pass(119);
  assert.equal(await cellar.services(), { 1: "lamp@attic" });
  await pass(61);
  assert.equal(await cellar.services(), { 1: "lamp@attic!" });
  await pass(20);
  assert.equal(await cellar.services(), {});
  assert.equal(cellar.log, ["Nothing new is heard of board attic: what it had told runs out with its TTL."]);
  broker.mayWrite = () => true;
  await pass(61);
  assert.equal(await cellar.services(), { 1: "lamp@attic" });
});

test("a board lives while it speaks, also without any service, and costs one message in a heartbeat", async () => {
  const { broker, boards, pass } = site("attic", "cellar");
  const [attic, cellar] = boards;
  for (const board of boards) board.connect();
  await pass(10);
  const { messages, heartbeats } = broker;
  await pass(600);
  assert.equal(cellar.counts, { boards: 1, imported: 0, exported: 0 });
  assert.equal(attic.counts, { boards: 1, imported: 0, exported: 0 });
  assert.is(broker.messages, messages);
  assert.is(broker.heartbeats, heartbeats + 2 * 10);
});

test("many boards speak more seldom: one is woken every two seconds at most", async () => {
  const { broker, boards, pass } = site(...Array.from({ length: 50 }, (_, i) => `b${i}`));
  for (const board of boards) board.connect();
  await pass(130); // the first heartbeat may come when few others are there
  const { heartbeats } = broker;
  await pass(300);
  assert.is(broker.heartbeats, heartbeats + 3 * 50);
  assert.match(broker.kept("pf1/site/b/b7"), /^1;[0-9a-f]{12};\d+;100;0$/);
  assert.is(boards[0].counts.boards, 49);
});

test("what a broker keeps of a board is believed for three heartbeats, and not again if it is no news", async () => {
  const { broker, boards, pass } = site("cellar");
  const [cellar] = boards;
  broker.retained.set("pf1/site/s/attic/0000000000000001", record("lamp"));
  broker.retained.set("pf1/site/b/attic", word(1, { age: 500 }));
  cellar.connect();
  await pass(119);
  assert.equal(await cellar.services(), { 1: "lamp@attic" });
  await pass(62);
  assert.equal(await cellar.services(), { 1: "lamp@attic!" });
  await pass(30);
  assert.equal(await cellar.services(), {});
  cellar.disconnect();
  cellar.connect();
  await pass(2);
  cellar.hear("pf1/site/b/attic", word(1, { age: 500 })); // a bridge that reconnects, and does not say that it is old
  cellar.hear("pf1/site/b/attic", word(1, { age: 499 }), true);
  await pass(2);
  assert.equal(await cellar.services(), {});
  cellar.hear("pf1/site/b/attic", word(1, { age: 501 }));
  await pass(2);
  assert.equal(await cellar.services(), { 1: "lamp@attic" });
});

test("after an hour and a reconnect a board that is gone for good is still gone, where nobody may tidy up", async () => {
  const { broker, clock, boards, pass } = site("cellar");
  const [cellar] = boards;
  broker.mayWrite = (board, topic) => topic.split("/")[3] === board;
  broker.retained.set("pf1/site/s/attic/0000000000000001", record("lamp"));
  broker.retained.set("pf1/site/b/attic", word(1));
  cellar.connect();
  for (let i = 0; i < 400; i++) {
    clock.advanceMs(10_000);
    await settled();
  }
  assert.equal(cellar.counts, { boards: 0, imported: 0, exported: 0 });
  cellar.disconnect();
  cellar.connect();
  await pass(10);
  assert.equal(await cellar.services(), {});
});

test("while the broker is frozen, or we are, nobody is silent", async () => {
  const { broker, clock, boards, pass } = site("attic", "cellar");
  const [attic, cellar] = boards;
  for (const board of boards) board.connect();
  await attic.publish(1n, 1n, "lamp");
  await pass(70);
  const { publish } = broker;
  const late: [string, string, string | undefined][] = [];
  broker.publish = (...said) => {
    late.push(said as (typeof late)[number]);
    return "sent";
  };
  await pass(600);
  assert.equal(await cellar.services(), { 1: "lamp@attic" });
  broker.publish = publish;
  for (const said of late) broker.publish(...said);
  await pass(100);
  clock.stallMs(600_000);
  await pass(100);
  assert.equal(await cellar.services(), { 1: "lamp@attic" });
  assert.equal(cellar.log, []);
});

test("a word that somebody forges in a board's name, with an age to come, makes it neither silent nor deaf", async () => {
  const { broker, boards, pass } = site("attic", "cellar");
  const [attic, cellar] = boards;
  for (const board of boards) board.connect();
  await attic.publish(1n, 1n, "lamp");
  await pass(5);
  broker.publish("pf1/site/b/attic", word(1, { instance: attic.instance, age: 5000 }));
  await pass(300);
  assert.equal(await cellar.services(), { 1: "lamp@attic" });
  assert.equal(cellar.log, []);
  broker.publish("pf1/site/s/yard/0000000000000009", record("fan", "yard"));
  broker.publish("pf1/site/b/yard", word(1));
  await pass(240);
  for (const board of boards) assert.equal(await board.services().then((all) => all["9"]), undefined);
});

test("the highest age that somebody can forge leaves a board with ears, and its words can be understood", async () => {
  const { broker, boards, pass } = site("attic", "cellar");
  const [attic] = boards;
  for (const board of boards) board.connect();
  await pass(5);
  broker.publish("pf1/site/b/attic", word(1, { instance: attic.instance, age: 9_999_999_999 }));
  broker.publish("pf1/site/s/yard/0000000000000009", record("fan", "yard"));
  broker.publish("pf1/site/b/yard", word(1));
  await pass(240);
  assert.equal(await attic.services(), {});
  assert.match(broker.kept("pf1/site/b/attic"), /;9999999999;/);
});

test("a board that may not write notices who falls silent, as long as it hears anybody", async () => {
  const { broker, boards, pass } = site("attic", "cellar", "yard");
  const [attic, cellar, yard] = boards;
  const silent = new Set(["cellar"]);
  broker.mayWrite = (board) => !silent.has(board);
  for (const board of boards) board.connect();
  await attic.publish(1n, 1n, "lamp");
  await yard.publish(2n, 1n, "fan");
  await pass(70);
  assert.equal(await cellar.services(), { 1: "lamp@attic", 2: "fan@yard" });
  silent.add("attic"); // and no will
  await pass(240);
  assert.equal(await cellar.services(), { 2: "fan@yard" });
  silent.add("yard"); // or the broker is frozen
  await pass(600);
  assert.equal(await cellar.services(), { 2: "fan@yard" });
});

test("the will of a former process does not count when the board is back", async () => {
  const { boards, pass } = site("cellar");
  const [cellar] = boards;
  cellar.connect();
  cellar.hear("pf1/site/s/attic/0000000000000001", record("lamp"));
  cellar.hear("pf1/site/b/attic", word(1, { instance: "00000000000a", age: 900 }));
  cellar.hear("pf1/site/b/attic", word(1, { instance: "00000000000b", age: 0 }));
  cellar.hear("pf1/site/b/attic", "0;00000000000a");
  cellar.hear("pf1/site/b/attic", word(1, { instance: "00000000000a", age: 900 })); // from another broker of a bridge
  await pass(20);
  assert.equal(await cellar.services(), { 1: "lamp@attic" });
  cellar.hear("pf1/site/b/attic", "0;00000000000b");
  await pass(11);
  assert.equal(await cellar.services(), { 1: "lamp@attic!" });
});

const STEPS = 120;
/** Above any generation that a gateway makes from the clock. */
const LATE = 10n ** 15n;
for (let seed = 1; seed <= 40; seed++) {
  test(`whatever happens, all agree in the end, and then it is quiet (seed ${seed})`, async () => {
    const random = new SeededRandom(seed);
    const { clock, broker, boards, pass } = site("a", "b", "c", "d");
    const published = boards.map(() => new Map<number, string>());
    for (const board of boards) board.connect();
    for (let step = 0; step < STEPS; step++) {
      const i = random.below(boards.length);
      const board = boards[i];
      const id = 1 + random.below(6);
      switch (random.below(8)) {
        case 0:
        case 1:
        case 2: {
          const name = `s${step}`;
          assert.is(await board.publish(BigInt(id), LATE + BigInt(step), name), "ok");
          published[i].set(id, name);
          break;
        }
        case 3:
          if (published[i].delete(id)) await board.local.unpublish(BigInt(id));
          break;
        case 4:
          board.disconnect(random.below(2) === 0);
          break;
        case 5:
          if (!board.isConnected) board.connect();
          break;
        case 6:
          if (random.below(4) === 0) {
            for (const each of boards) each.disconnect(false);
            if (random.below(2) === 0) broker.retained.clear();
          }
          break;
        default:
          clock.advanceMs(random.below(15_000));
      }
      if (random.below(2) === 0) await settled();
      clock.advanceMs(random.below(300));
    }
    for (const board of boards) if (!board.isConnected) board.connect();
    await pass(60);
    for (const [i, board] of boards.entries()) {
      const expected: Record<string, string> = {};
      for (let id = 1; id <= 6; id++) {
        const first = published.findIndex((of) => of.has(id));
        if (published[i].has(id)) expected[id] = `${published[i].get(id)}@here`;
        else if (first >= 0) expected[id] = `${published[first].get(id)}@${boards[first].name}`;
      }
      assert.equal(await board.services(), expected, `board ${board.name}`);
    }
    const { messages } = broker;
    await pass(60);
    assert.is(broker.messages, messages);
  });
}

test.run();
