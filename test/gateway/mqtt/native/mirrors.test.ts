/** The mirror against a broker that is a map, with a clock that the test moves. */

import { test } from "uvu";
import * as assert from "uvu/assert";
import { Dropped } from "../../../../src/gateway/dropped.js";
import type { PublishOutcome } from "../../../../src/gateway/mqtt/connection.js";
import type { KnownService } from "../../../../src/gateway/mqtt/native/known-services.js";
import { Mirrors } from "../../../../src/gateway/mqtt/native/mirrors.js";
import { OutboundQueue } from "../../../../src/gateway/mqtt/outbound-queue.js";
import { type PublishOptions, publishPacketBytes } from "../../../../src/gateway/mqtt/publish-size.js";
import { outboundTopicsBelow } from "../../../../src/gateway/mqtt/topics.js";
import { FakeClock } from "../../../support/fake-clock.js";
import { keptLog } from "../recording-directory.js";
import { known } from "./known.js";

const S = 1000;
const TOPIC = (id: number, kind = "lamp") => `sd1/m/${kind}/${id.toString(16).padStart(16, "0")}`;

function fixture({ version = 5 as 4 | 5, maxPacketBytes = 256, limit = 1000, owner = true } = {}) {
  const clock = new FakeClock();
  const log = keptLog();
  const dropped = new Dropped();
  const kept = new Map<string, string>();
  const sent: { readonly atMs: number; readonly text: string; readonly options: PublishOptions }[] = [];
  const broker = { outcome: "sent" as PublishOutcome, owner, version };
  const publish = (topic: string, payload: string, options: PublishOptions): PublishOutcome => {
    if (broker.outcome !== "sent") return broker.outcome;
    assert.ok(publishPacketBytes(broker.version, topic, payload, options) <= maxPacketBytes);
    assert.ok(options.retain);
    sent.push({ atMs: clock.monotonicMs(), text: `${topic}=${payload}`, options });
    write(topic, payload);
    if (broker.version === 4) setAside.push(() => mirrors.heard(topic, Buffer.from(payload), false));
    return "sent";
  };
  /** Echoes of MQTT 3.1.1, which come after what is going on. */
  const setAside: (() => void)[] = [];
  const write = (topic: string, payload: string) => {
    if (payload === "") kept.delete(topic);
    else kept.set(topic, payload);
  };
  const queue = new OutboundQueue({
    name: "queue",
    ...{ clock, timers: clock, publish, perSecond: 50, limit },
    onOutcome: (topic, payload, outcome) => mirrors.sent(topic, payload, outcome),
  });
  const mirrors: Mirrors = new Mirrors({
    topics: outboundTopicsBelow("sd1"),
    ...{ queue, clock, timers: clock, log, dropped, maxPacketBytes },
    isMine: () => broker.owner,
    version: () => broker.version,
    random: () => 0.5,
  });
  const back = () => {
    mirrors.brokerBack();
    for (const [topic, payload] of kept) mirrors.heard(topic, Buffer.from(payload), true);
  };
  const pass = (ms: number) => {
    for (let left = ms; left > 0; left -= 100) {
      clock.advanceMs(Math.min(100, left));
      for (const echo of setAside.splice(0)) echo();
    }
  };
  const foreign = (topic: string, payload: string) => {
    write(topic, payload);
    mirrors.heard(topic, Buffer.from(payload), false);
  };
  const become = (yes: boolean) => {
    broker.owner = yes;
    mirrors.ownersChanged();
  };
  const texts = () => sent.splice(0).map(({ text }) => text);
  return { clock, log, dropped, kept, sent, broker, queue, mirrors, back, pass, foreign, become, texts };
}

for (const version of [4, 5] as const) {
  const name = version === 4 ? "MQTT 3.1.1" : "MQTT 5";

  test(`${name}: appears, changes, disappears; what is kept already is not written again`, () => {
    const { mirrors, back, pass, kept, texts } = fixture({ version });
    const lamp = known(1, { room: "kitchen" });
    kept.set(TOPIC(1), "1;600;room=kitchen");
    mirrors.changed(undefined, lamp);
    mirrors.changed(undefined, known(2, { room: "cellar" }));
    back();
    pass(2900);
    assert.equal(texts(), [], "what the broker keeps is heard first");
    pass(1 * S);
    assert.equal(texts(), [`${TOPIC(2)}=1;600;room=cellar`]);
    assert.is(mirrors.size, 2);
    const changed = known(1, { room: "hall" }, { generation: 2 });
    mirrors.changed(lamp, changed);
    pass(1 * S);
    assert.equal(texts(), [`${TOPIC(1)}=2;600;room=hall`]);
    mirrors.changed(changed, undefined);
    pass(1 * S);
    assert.equal(texts(), [`${TOPIC(1)}=`]);
    assert.equal([...kept.keys()], [TOPIC(2)]);
  });

  test(`${name}: what another wrote is put right; a wrong-doer who does not stop costs six messages a minute`, () => {
    const { mirrors, back, pass, foreign, kept, sent, log } = fixture({ version });
    mirrors.changed(undefined, known(1, { room: "kitchen" }));
    back();
    pass(60 * S);
    assert.is(kept.get(TOPIC(1)), "1;600;room=kitchen");
    sent.length = 0;
    for (let n = 0; n < 120; n++) {
      foreign(TOPIC(1), `9;9;evil=${n}`);
      pass(1 * S);
    }
    assert.ok(sent.length >= 6 && sent.length <= 12, `${sent.length}`);
    assert.ok(log.count(/changes all the time; held for a minute/) <= 2);
    pass(61 * S);
    assert.is(kept.get(TOPIC(1)), "1;600;room=kitchen");
  });
}

test("D.7: at most 50 messages a second, also for a thousand services at once", () => {
  const { mirrors, back, pass, sent } = fixture();
  for (let n = 1; n <= 1000; n++) mirrors.changed(undefined, known(n, { room: `r${n}` }));
  back();
  pass(24 * S);
  assert.is(sent.length, 1000);
  for (const { atMs } of sent) {
    assert.ok(sent.filter((other) => other.atMs >= atMs && other.atMs < atMs + 1000).length <= 50);
  }
});

test("D.7: expiry 2 × TTL, renewed before half of it has passed; nothing expires while we live", () => {
  const { mirrors, back, pass, kept, sent, clock } = fixture();
  const expires = new Map<string, number>();
  const follow = () => {
    for (const { text, options, atMs } of sent.splice(0)) {
      expires.set(text.split("=")[0], atMs + (options.messageExpirySeconds ?? Infinity) * S);
    }
    for (const [topic, atMs] of expires) if (atMs <= clock.monotonicMs()) kept.delete(topic);
  };
  mirrors.changed(undefined, known(1, {}, { ttlSeconds: 600 }));
  mirrors.changed(undefined, known(2, {}, { ttlSeconds: 5 }));
  mirrors.changed(undefined, known(3, {}, { ttlSeconds: 1e15 }));
  back();
  pass(10 * S);
  assert.equal(
    sent.map(({ options }) => options.messageExpirySeconds),
    [1200, 120, 2 ** 31],
  );
  let messages = 0;
  for (let seconds = 0; seconds < 3600; seconds += 10) {
    pass(10 * S);
    messages += sent.length;
    follow();
    assert.is(kept.size, 3, `after ${seconds} s`);
  }
  assert.ok(messages <= 3600 / 600 + 3600 / 60 + 1, `${messages} messages`);
});

test("MQTT 3.1.1: no expiry, no renewal, and when all is written nothing wakes the board", () => {
  const { mirrors, back, pass, sent, clock } = fixture({ version: 4 });
  mirrors.changed(undefined, known(1, {}));
  back();
  pass(40 * S);
  assert.equal(
    sent.map(({ options }) => options),
    [{ retain: true }],
  );
  assert.equal(clock.timers(), []);
});

test("leftovers of a gateway that died go after 30 s, not before: the directory may not be complete yet", () => {
  const { mirrors, back, pass, kept, texts } = fixture({ version: 4 });
  kept.set(TOPIC(1), "1;600;room=kitchen");
  kept.set(TOPIC(2), "1;600;room=gone");
  kept.set(TOPIC(3, "valve"), "1;600");
  back();
  pass(20 * S);
  mirrors.changed(undefined, known(1, { room: "kitchen" }));
  pass(9.5 * S);
  assert.equal(texts(), []);
  pass(1 * S);
  assert.equal(texts().sort(), [`${TOPIC(2)}=`, `${TOPIC(3, "valve")}=`]);
  // later ones go at once
  kept.set(TOPIC(4), "x");
  mirrors.heard(TOPIC(4), Buffer.from("x"), false);
  pass(1 * S);
  assert.equal(texts(), [`${TOPIC(4)}=`]);
});

test("who is not the owner writes nothing, and knows everything when it takes over", () => {
  const { mirrors, back, pass, foreign, become, texts } = fixture({ version: 4, owner: false });
  const lamp = known(1, { room: "kitchen" });
  mirrors.changed(undefined, lamp);
  mirrors.changed(undefined, known(2, { room: "cellar" }));
  back();
  foreign(TOPIC(1), "1;600;room=kitchen");
  foreign(TOPIC(9), "1;600;room=left behind");
  pass(60 * S);
  assert.equal(texts(), []);
  become(true);
  pass(1 * S);
  assert.equal(texts().sort(), [`${TOPIC(2)}=1;600;room=cellar`, `${TOPIC(9)}=`]);
  become(false);
  mirrors.changed(lamp, known(1, { room: "hall" }, { generation: 2 }));
  pass(60 * S);
  assert.equal(texts(), []);
});

test("what waits when the part is given to somebody else is not sent", () => {
  const { mirrors, back, pass, become, sent } = fixture();
  for (let n = 1; n <= 500; n++) mirrors.changed(undefined, known(n, {}));
  back();
  pass(4 * S);
  const before = sent.length;
  assert.ok(before > 0 && before < 500);
  become(false);
  pass(60 * S);
  assert.is(sent.length, before);
});

test("a broker without memory gets everything again 3 s after it is back; one with memory gets the difference", () => {
  for (const remembers of [true, false]) {
    const { mirrors, back, pass, kept, texts } = fixture({ version: 4 });
    const lamp = known(1, { room: "kitchen" });
    mirrors.changed(undefined, lamp);
    mirrors.changed(undefined, known(2, {}));
    back();
    pass(60 * S);
    texts();
    mirrors.brokerLost();
    pass(60 * S);
    mirrors.changed(lamp, known(1, { room: "hall" }, { generation: 2 }));
    if (!remembers) kept.clear();
    back();
    pass(4 * S);
    const changed = `${TOPIC(1)}=2;600;room=hall`;
    assert.equal(texts().sort(), remembers ? [changed] : [changed, `${TOPIC(2)}=1;600`]);
  }
});

test("a service that flaps is held", () => {
  const { mirrors, back, pass, sent, kept, log } = fixture();
  back();
  pass(4 * S);
  let before: KnownService | undefined;
  for (let n = 1; n <= 100; n++) {
    const after = known(1, { n }, { generation: n });
    mirrors.changed(before, after);
    before = after;
    pass(500);
  }
  assert.is(sent.length, 6);
  assert.is(log.count(/held for a minute/), 1);
  pass(61 * S);
  assert.is(kept.get(TOPIC(1)), "100;600;n#100");
});

test("a service that changes its kind leaves its old topic", () => {
  const { mirrors, back, pass, kept } = fixture();
  const lamp = known(1, {});
  mirrors.changed(undefined, lamp);
  back();
  pass(4 * S);
  mirrors.changed(lamp, known(1, {}, { kind: "valve", generation: 2 }));
  pass(1 * S);
  assert.equal([...kept], [[TOPIC(1, "valve"), "2;600"]]);
});

test("two who act for a moment, with directories of their own, agree on the later generation", () => {
  const [one, two] = [fixture({ version: 4 }), fixture({ version: 4 })];
  one.mirrors.changed(undefined, known(1, { room: "hall" }, { generation: 100 }));
  two.mirrors.changed(undefined, known(1, { room: "hall" }, { generation: 200 }));
  let messages = 0;
  for (const { back } of [one, two]) back();
  for (let n = 0; n < 200; n++) {
    for (const [from, to] of [
      [one, two],
      [two, one],
    ]) {
      from.pass(100);
      for (const text of from.texts()) {
        messages++;
        to.foreign(text.slice(0, text.indexOf("=")), text.slice(text.indexOf("=") + 1));
      }
    }
  }
  assert.ok(messages <= 3, `${messages} messages`);
  for (const { kept } of [one, two]) assert.is(kept.get(TOPIC(1)), "200;600;room=hall");
});

test("a full queue is tried again; what is too large is counted and does no harm", () => {
  const { mirrors, back, pass, kept, dropped } = fixture({ limit: 10 });
  for (let n = 1; n <= 50; n++) mirrors.changed(undefined, known(n, {}));
  back();
  pass(4 * S);
  assert.is(kept.size, 10);
  assert.is(dropped.counts["queue-full"], 40);
  pass(300 * S);
  assert.is(kept.size, 50);
});

test("the packet limit of devices is kept whatever a service holds", () => {
  for (const maxPacketBytes of [128, 256]) {
    for (const version of [4, 5] as const) {
      const { mirrors, back, pass, kept } = fixture({ version, maxPacketBytes });
      const long = "x".repeat(60);
      mirrors.changed(undefined, known(1, { url: "coap://10.0.0.17", a: long, b: long, c: long, d: long }));
      back();
      pass(4 * S);
      assert.match(kept.get(TOPIC(1))!, /^1;600;url=coap:\/\/10\.0\.0\.17;.*;\+$/);
    }
  }
});

test("a broker that takes less than devices do: counted, nothing else", () => {
  const { mirrors, back, pass, broker, dropped, kept } = fixture();
  broker.outcome = "too-large";
  mirrors.changed(undefined, known(1, {}));
  back();
  pass(10 * S);
  assert.is(kept.size, 0);
  assert.ok(dropped.counts["mirror-too-large-for-broker"] >= 1);
});

test("foreign topics and payloads do no harm", () => {
  const { mirrors, back, pass, foreign, texts, clock } = fixture({ version: 4 });
  back();
  for (const topic of ["sd1/m/lamp/xyz", "sd1/m/lamp/", "sd1/m//", "sd1/m/a b/0000000000000001", `${TOPIC(1)}/more`]) {
    foreign(topic, "x");
  }
  foreign(TOPIC(5), "\u0000\uffff".repeat(1000));
  pass(40 * S);
  assert.equal(texts(), [`${TOPIC(5)}=`]);
  mirrors.stop();
  assert.equal(clock.timers(), []);
});

test.run();
