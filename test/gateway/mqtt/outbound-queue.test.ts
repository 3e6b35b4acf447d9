import { test } from "uvu";
import * as assert from "uvu/assert";
import type { PublishOutcome } from "../../../src/gateway/mqtt/connection.js";
import { OutboundQueue } from "../../../src/gateway/mqtt/outbound-queue.js";
import { FakeClock } from "../../support/fake-clock.js";

function fixture({ perSecond = 50, limit = 1000 } = {}) {
  const clock = new FakeClock();
  const sent: { atMs: number; text: string }[] = [];
  const answer = { outcome: "sent" as PublishOutcome };
  const outcomes: string[] = [];
  const queue = new OutboundQueue({
    name: "queue",
    publish: (topic, payload) => {
      if (answer.outcome === "sent") sent.push({ atMs: clock.monotonicMs(), text: `${topic}=${payload}` });
      return answer.outcome;
    },
    onOutcome: (topic, _payload, outcome) => outcomes.push(`${topic} ${outcome}`),
    ...{ clock, timers: clock, perSecond, limit },
  });
  return { clock, sent, answer, outcomes, queue, texts: () => sent.map(({ text }) => text) };
}

test("no second sees more than the rate, however the messages come", () => {
  const { clock, queue, sent } = fixture();
  for (let n = 0; n < 400; n++) {
    queue.put(`t${n}`, "x", {});
    if (n % 7 === 0) clock.advanceMs(3);
  }
  clock.advanceMs(10_000);
  assert.is(sent.length, 400);
  for (const { atMs } of sent) {
    const within = sent.filter((other) => other.atMs >= atMs && other.atMs < atMs + 1000).length;
    assert.ok(within <= 50, `${within} from ${atMs} ms on`);
  }
  assert.equal(clock.timers(), [], "an empty queue does not wake the board");
});

test("the latest of a topic is what is sent, at its old place in the queue", () => {
  const { clock, queue, texts } = fixture({ perSecond: 10 });
  queue.put("a", "1", {});
  queue.put("b", "1", {});
  queue.put("a", "2", {});
  clock.advanceMs(1000);
  assert.equal(texts(), ["a=2", "b=1"]);
});

test("the number of topics is bounded; a topic that waits can still change", () => {
  const { clock, queue, texts } = fixture({ limit: 2 });
  assert.ok(queue.put("a", "1", {}) && queue.put("b", "1", {}));
  assert.not.ok(queue.put("c", "1", {}));
  assert.ok(queue.put("a", "2", {}));
  clock.advanceMs(1000);
  assert.equal(texts(), ["a=2", "b=1"]);
});

test("a broker that takes nothing is asked again; what is too large is dropped and told", () => {
  const { clock, queue, texts, answer, outcomes } = fixture();
  answer.outcome = "not-connected";
  queue.put("a", "1", {});
  clock.advanceMs(1000);
  assert.is(queue.size, 1);
  answer.outcome = "sent";
  clock.advanceMs(100);
  assert.equal(texts(), ["a=1"]);
  answer.outcome = "too-large";
  queue.put("b", "1", {});
  clock.advanceMs(100);
  assert.is(queue.size, 0);
  assert.equal(outcomes, ["a sent", "b too-large"]);
});

test("what is removed or cleared is not sent, and no timer stays", () => {
  const { clock, queue, sent } = fixture();
  queue.put("a", "1", {});
  queue.remove("a");
  assert.equal(clock.timers(), []);
  queue.put("a", "1", {});
  queue.put("b", "1", {});
  queue.clear();
  clock.advanceMs(1000);
  assert.is(sent.length, 0);
});

test.run();
