/** One link (libpaf-client.md, 5, 6, 8 and 10), with sessions and time in the test's hands. */

import { suite } from "uvu";
import * as assert from "uvu/assert";
import { LINK, type LinkInput, type LinkPhase } from "../../src/client/link-states.js";
import { ServerLimitError } from "../../src/client/server-limits.js";
import { TransportError } from "../../src/transport/transport.js";
import { LinkBench, settle } from "./fake-session.js";

const test = suite("link");

// --- connecting -----------------------------------------------------------------------------------------------------

test("its owner is told every state, what the server has taken, and what it refuses, once per reason", async () => {
  const bench = new LinkBench();
  const session = await bench.up();
  await session.accept(); // track
  bench.publish(1);
  bench.publish(2);
  await settle();
  await session.accept(1);
  await session.refuse("insufficient-resources");
  bench.clock.advanceMs(200);
  await settle();
  await session.refuse("insufficient-resources");
  bench.clock.advanceMs(400);
  await settle();
  await session.refuse("permission-denied");
  assert.equal(bench.published, [1n]);
  assert.equal(bench.link.publication(1n), { isPublished: true });
  assert.match(bench.link.publication(2n).refusal!.message, "permission-denied");
  assert.equal(
    bench.refusals.map((text) => text.replace(/:.*: /, ": ")),
    ["publish 2: insufficient-resources", "publish 2: permission-denied"],
  );
  await session.end();
  bench.link.stop();
  assert.equal(bench.states, ["connecting", "greeting", "operational", "waiting", "detached"]);
  assert.equal(bench.link.publication(1n), { isPublished: false });
});

test("retries: 15 ms (at random 10 to 20), then twice as long each time, up to the limit less a random part", async () => {
  const bench = new LinkBench();
  bench.link.start();
  assert.is(bench.state, "connecting");
  const delays: number[] = [];
  for (let attempt = 0; attempt < 11; attempt++) {
    await bench.attempts[attempt]!.fail();
    assert.is(bench.state, "waiting");
    delays.push(bench.clock.nextInMs()!);
    bench.clock.advanceMs(delays[attempt]!);
  }
  assert.equal(delays, [15, 30, 60, 120, 240, 480, 960, 1920, 3840, 4375, 4375]);
  assert.equal(bench.log, ["warning: Not connected: nobody is listening there."], "told once");
});

test("a hello alone does not reset the delay, a connection that was good for the largest delay does", async () => {
  const bench = new LinkBench();
  bench.link.start();
  const next = async (goodMs: number) => {
    const session = await bench.attempts[bench.attempts.length - 1]!.accept();
    bench.clock.passMs(goodMs);
    await session.end();
    const delay = bench.clock.nextInMs()!;
    bench.clock.advanceMs(delay);
    return delay;
  };
  assert.equal([await next(0), await next(100), await next(4_999)], [15, 30, 60]);
  assert.equal([await next(5_000), await next(0)], [15, 30]);
});

test("the handshake has the idle minimum, connecting included; a session that comes later is closed", async () => {
  const bench = new LinkBench({ minIdleSeconds: 2 });
  bench.link.start();
  const attempt = bench.attempts[0]!;
  attempt.options.onConnected();
  assert.is(bench.state, "greeting");
  bench.clock.advanceMs(1_999);
  assert.is(bench.state, "greeting");
  bench.clock.advanceMs(1);
  assert.is(bench.state, "waiting");
  assert.ok(attempt.options.signal.aborted);
  const { cause, ...state } = bench.link.state;
  assert.equal(state, { address: "ux:test", state: "waiting", lastError: "no answer to hello within 2 s" });
  assert.is(cause?.message, state.lastError);
  const late = await attempt.accept();
  assert.ok(late.isClosed);
  assert.is(bench.state, "waiting");
});

test("a least idle time below a second, which no handshake can keep, counts as a second", async () => {
  const bench = new LinkBench({ minIdleSeconds: 0, maxIdleSeconds: 0 });
  bench.link.start();
  bench.clock.advanceMs(999);
  const session = await bench.attempts[0]!.accept();
  await session.accept();
  bench.clock.advanceMs(599);
  assert.equal([bench.state, session.queries], ["operational", 0]);
  bench.clock.advanceMs(1);
  assert.is(session.queries, 1);
});

test("protocol versions: the range that is offered, and none at all", async () => {
  const wide = new LinkBench({ minProtocolVersion: 0, maxProtocolVersion: 9 });
  wide.link.start();
  const { minVersion, maxVersion } = wide.attempts[0]!.options;
  assert.equal([minVersion, maxVersion], [2, 3]);
  for (const config of [{ minProtocolVersion: 4 }, { maxProtocolVersion: 1 }]) {
    const bench = new LinkBench(config);
    bench.link.start();
    await settle();
    assert.equal([bench.state, bench.attempts.length], ["waiting", 0]);
    assert.match(bench.link.state.lastError!, /none is known \(2 to 3 are\)/);
  }
});

test("on hello complete: track, services, then subscriptions, the latest first; no track in version 2", async () => {
  for (const version of [3, 2]) {
    const bench = new LinkBench();
    bench.publish(1);
    bench.publish(2);
    bench.subscribe(10, "(a=b)");
    bench.subscribe(11);
    const session = await bench.up(version);
    assert.equal(session.asked, [
      ...(version === 3 ? ["track"] : []),
      "publish 2/0",
      "publish 1/0",
      "subscribe 11",
      "subscribe 10(a=b)",
    ]);
    assert.is(bench.link.state.protocolVersion, version);
    assert.equal(bench.log, [`info: Connected (protocol version ${version}).`]);
    bench.link.stop();
    assert.equal(bench.clock.timers(), []);
  }
});

test("32 operations are under way, besides track; the rest follow as answers come", async () => {
  const bench = new LinkBench();
  for (let id = 0; id < 100; id++) bench.publish(id);
  const session = await bench.up();
  assert.is(session.open.length, 33);
  await session.accept(11);
  assert.is(session.open.length, 32);
});

test("everything is sent again after a reconnect, in its latest state; what was withdrawn meanwhile is not spoken of", async () => {
  const bench = new LinkBench();
  const first = await bench.up();
  bench.publish(1);
  bench.publish(2);
  bench.subscribe(10);
  await settle();
  await first.accept();
  await first.end();
  assert.equal(bench.downs, ["7 false"]);
  bench.publish(1, 1);
  bench.publish(1, 2);
  bench.unpublish(2);
  bench.clock.advanceMs(20);
  const second = await bench.attempts[1]!.accept();
  assert.equal(second.asked, ["track", "publish 1/2", "subscribe 10"]);
  assert.equal(bench.log, [
    "info: Connected (protocol version 3).",
    "warning: Connection lost: gone.",
    "info: Connected (protocol version 3).",
  ]);
});

test("several changes in one turn are one publish", async () => {
  const bench = new LinkBench();
  const session = await bench.up();
  await session.accept();
  bench.publish(1, 0);
  bench.publish(1, 1);
  bench.publish(2, 0);
  bench.unpublish(2);
  await settle();
  assert.equal(session.asked, ["publish 1/1"]);
});

// --- refusals -------------------------------------------------------------------------------------------------------

test("DEFECT: a refused publish does not cost the link, and is tried again less and less often", async () => {
  const bench = new LinkBench();
  const session = await bench.up();
  await session.accept();
  bench.publish(1);
  bench.publish(2);
  await settle();
  await session.refuse("permission-denied");
  await session.accept(1);
  const delays: number[] = [];
  for (let again = 0; again < 8; again++) {
    const from = bench.clock.monotonicMs();
    while (session.open.length === 0) {
      bench.clock.advanceMs(1);
      session.options.onHeard(); // it is the publish that is tested, not liveness
      await new Promise<void>((resolve) => queueMicrotask(resolve));
    }
    delays.push(bench.clock.monotonicMs() - from);
    assert.equal(session.asked, ["publish 1/0"]);
    await session.refuse("permission-denied");
  }
  assert.equal(delays, [150, 300, 600, 1200, 2400, 4800, 4375, 4375]);
  assert.is(bench.state, "operational");
  assert.equal(
    bench.log.slice(1),
    ["warning: Refused publish of 0x1: the server refused publish 1/0: permission-denied; it is tried again."],
    "told once",
  );
  bench.publish(1, 1);
  await settle();
  assert.equal(session.asked, ["publish 1/1"], "something else is tried at once");
  await session.accept();
  bench.clock.advanceMs(5_000);
  assert.equal(session.asked, []);
});

test("a message that is too long for a server is a refusal too; a refused unpublish is the end of it", async () => {
  const bench = new LinkBench();
  const session = await bench.up();
  await session.accept();
  bench.publish(1);
  bench.publish(2);
  await settle();
  session.open.shift()!.reject(new TransportError("EMSGSIZE", "publish request of 70000 bytes"));
  await session.accept();
  bench.unpublish(2);
  await settle();
  await session.refuse("non-existent-service-id");
  assert.is(bench.state, "operational");
  bench.clock.advanceMs(200);
  assert.equal(session.asked, ["publish 1/0"]);
});

test("track refused, or the end of a subscription that nobody asked for: the link begins anew", async () => {
  const bench = new LinkBench();
  const session = await bench.up();
  await session.refuse("track-exists");
  assert.is(bench.state, "waiting");
  assert.ok(session.isClosed);

  const other = new LinkBench();
  other.subscribe(10);
  const subscribed = await other.up();
  await subscribed.accept();
  assert.throws(() => subscribed.endListeners.get(10n)!(), /ended a subscription on its own/);
});

test("unsubscribe is under way until both answers are there, in either order: a server can not pile up transactions", async () => {
  const bench = new LinkBench();
  for (let id = 0; id < 40; id++) bench.subscribe(id);
  const session = await bench.up();
  while (session.open.length > 0) await session.accept();
  for (let id = 0; id < 40; id++) bench.unsubscribe(id);
  await settle();
  assert.is(session.open.length, 32);
  await session.accept(32, { ends: false });
  assert.is(session.open.length, 0, "answered, but not ended");
  session.endListeners.get(0n)!();
  session.endListeners.get(1n)!();
  await settle();
  assert.equal(session.asked, ["unsubscribe 32", "unsubscribe 33"]);
  session.endListeners.get(32n)!();
  await session.accept(1, { ends: false });
  assert.equal(session.asked, ["unsubscribe 33", "unsubscribe 34"]);
});

test("a refused unsubscribe: the server would go on to send matches, so the link begins anew, without it", async () => {
  const bench = new LinkBench();
  bench.subscribe(10);
  const session = await bench.up();
  await session.accept();
  bench.unsubscribe(10);
  await settle();
  await session.refuse("permission-denied");
  assert.equal([bench.state, session.isClosed], ["waiting", true]);
  bench.clock.advanceMs(20);
  const second = await bench.attempts[1]!.accept();
  assert.equal(second.asked, ["track"]);
});

test("a server that went beyond a limit is not believed, and comes back no sooner than any that failed", async () => {
  const bench = new LinkBench();
  for (const delay of [15, 30, 60]) {
    const session = await (bench.attempts.length === 0
      ? bench.up()
      : bench.attempts[bench.attempts.length - 1]!.accept());
    const error = new ServerLimitError("ux:test", "matchedServices", 5);
    await session.end(error);
    assert.equal(bench.downs.splice(0), ["7 distrusted", "7 false"]);
    assert.is(bench.link.state.cause, error);
    assert.is(bench.clock.nextInMs(), delay);
    bench.clock.advanceMs(delay);
  }
  assert.match(bench.link.state.lastError!, /^ux:test: too many services shown to one subscription \(at most 5/);
});

test("matches go to the domain with the number of the link, and no more once the session was given up", async () => {
  const bench = new LinkBench();
  bench.subscribe(10);
  const session = await bench.up();
  await session.accept();
  const match = { type: "disappeared", serviceId: 5n } as const;
  session.matchListeners.get(10n)!(match);
  assert.equal(bench.matches, [[7, 10n, match]]);
  bench.link.stop();
  session.matchListeners.get(10n)!(match);
  assert.is(bench.matches.length, 1);
  assert.equal(bench.downs, ["7 true"]);
});

// --- liveness -------------------------------------------------------------------------------------------------------

test("silence: a query after half of the idle time and 0.1 s, the end after another half", async () => {
  const bench = new LinkBench();
  const session = await bench.up();
  await session.accept();
  bench.clock.advanceMs(15_099);
  assert.is(session.queries, 0);
  bench.clock.advanceMs(1);
  assert.is(session.queries, 1);
  bench.clock.advanceMs(14_999);
  assert.is(bench.state, "operational");
  bench.clock.advanceMs(1);
  assert.is(bench.state, "waiting");
  assert.ok(session.isClosed);
  assert.is(bench.link.state.lastError, "nothing heard for 30.1 s");
});

test("the reply, and whatever else is heard, gives the server more time", async () => {
  const bench = new LinkBench();
  const session = await bench.up();
  await session.accept();
  bench.clock.advanceMs(10_000);
  session.options.onHeard();
  bench.clock.advanceMs(15_000);
  assert.is(session.queries, 0);
  bench.clock.advanceMs(100);
  assert.is(session.queries, 1);
  bench.clock.advanceMs(10_000);
  session.options.onHeard(); // no reply, but a sign of life
  bench.clock.advanceMs(14_999);
  assert.is(bench.state, "operational");
  await session.answerQuery();
  bench.clock.advanceMs(15_099);
  assert.equal([bench.state, session.queries], ["operational", 1]);
  bench.clock.advanceMs(1);
  assert.is(session.queries, 2);
});

test("the idle time is the lowest TTL within the limits, from the moment the server has answered the publish", async () => {
  const bench = new LinkBench({ minIdleSeconds: 6, maxIdleSeconds: 20 });
  const session = await bench.up();
  await session.accept();
  bench.publish(1, 0, 10n);
  await settle();
  await session.accept();
  bench.clock.advanceMs(5_100);
  assert.is(session.queries, 1);
  await session.answerQuery();
  bench.publish(2, 0, 1n);
  await settle();
  await session.accept();
  bench.clock.advanceMs(3_100);
  assert.is(session.queries, 2);
  await session.answerQuery();
  bench.unpublish(1);
  bench.unpublish(2);
  await settle();
  await session.accept();
  bench.clock.advanceMs(10_099);
  assert.is(session.queries, 2, "the maximum again");
  bench.clock.advanceMs(1);
  assert.is(session.queries, 3);
});

test("track not accepted in time: the link begins anew; in version 2 nothing is supervised", async () => {
  const bench = new LinkBench();
  const session = await bench.up();
  bench.clock.advanceMs(15_100);
  assert.equal([bench.state, session.queries], ["waiting", 0]);
  assert.match(bench.link.state.lastError!, /no answer to track within 15.1 s/);

  const old = new LinkBench();
  await old.up(2);
  assert.equal(old.clock.timers(), []);
});

// --- leaving --------------------------------------------------------------------------------------------------------

test("detach: without a connection at once; with one when all is taken back", async () => {
  const idle = new LinkBench();
  idle.link.start();
  await idle.attempts[0]!.fail();
  idle.link.detach(500);
  assert.equal([idle.state, idle.detached, idle.clock.timers()], ["detached", 1, []]);

  const bench = new LinkBench();
  for (let id = 0; id < 40; id++) bench.publish(id);
  bench.subscribe(100);
  const session = await bench.up();
  await session.accept(11); // track, and ten services
  bench.link.detach(540);
  assert.is(bench.state, "detaching");
  while (session.open.length > 0) await session.accept(1);
  assert.equal([bench.state, bench.detached, session.isClosed, bench.clock.timers()], ["detached", 1, true, []]);
});

test("detach: what was never sent is not taken back, no subscription is ended", async () => {
  const bench = new LinkBench();
  for (let id = 0; id < 33; id++) bench.publish(id);
  bench.subscribe(100);
  const session = await bench.up();
  bench.link.detach(540);
  const seen: string[] = [];
  while (session.open.length > 0) {
    seen.push(session.asked[0]!);
    await session.accept(1);
  }
  assert.is(seen.filter((text) => text.startsWith("publish")).length, 32);
  assert.is(seen.filter((text) => text.startsWith("unpublish")).length, 32);
  assert.is(seen.filter((text) => text.includes("subscribe")).length, 0);
});

test("detach is over when its time is up, or the connection ends", async () => {
  const bench = new LinkBench();
  bench.publish(1);
  const session = await bench.up();
  await session.accept();
  bench.link.detach(501);
  bench.clock.advanceMs(500);
  assert.is(bench.detached, 0);
  bench.clock.advanceMs(1);
  assert.equal([bench.detached, session.isClosed, bench.clock.timers()], [1, true, []]);

  const lost = new LinkBench();
  lost.publish(1);
  const ending = await lost.up();
  await ending.accept();
  lost.link.detach(501);
  await ending.end();
  assert.equal([lost.detached, lost.clock.timers()], [1, []]);
});

test("stop: at once in every state, and without a timer left", async () => {
  for (const reach of [
    async (bench: LinkBench) => bench.link.start(),
    async (bench: LinkBench) => {
      bench.link.start();
      bench.attempts[0]!.options.onConnected();
    },
    async (bench: LinkBench) => {
      bench.link.start();
      await bench.attempts[0]!.fail();
    },
    async (bench: LinkBench) => {
      bench.publish(1);
      await (await bench.up()).refuse("permission-denied");
    },
    async (bench: LinkBench) => {
      bench.publish(1);
      const session = await bench.up();
      await session.accept(1);
      await session.refuse("permission-denied");
    },
    async (bench: LinkBench) => {
      bench.publish(1);
      await (await bench.up()).accept();
      bench.link.detach(500);
    },
  ]) {
    const bench = new LinkBench();
    await reach(bench);
    bench.link.stop();
    bench.link.stop();
    assert.equal([bench.state, bench.detached, bench.clock.timers()], ["detached", 1, []], String(reach));
    assert.ok(bench.sessions.every(({ isClosed }) => isClosed));
    assert.ok(bench.sessions.length > 0 || bench.attempts[0]!.options.signal.aborted || bench.log.length > 0);
  }
});

test("the states: each but the last can be left by `stop`, and each that has a connection or an attempt closes it", () => {
  const phases: readonly LinkPhase[] = ["waiting", "connecting", "greeting", "operational", "detaching", "detached"];
  for (const phase of phases) {
    assert.is(LINK[`${phase}/stop`]?.next, phase === "detached" ? undefined : "detached");
  }
  for (const [when, { next, effects }] of Object.entries(LINK)) {
    const [phase, input] = when.split("/") as [LinkPhase, LinkInput];
    const hasConnection = phase !== "waiting" && phase !== "detached";
    if (hasConnection && (next === "waiting" || next === "detached")) {
      assert.ok(effects.includes("close"), `${phase}/${input}`);
    }
    assert.is(next === "detached", effects.includes("finish"), `${phase}/${input}`);
  }
});

test.run();
