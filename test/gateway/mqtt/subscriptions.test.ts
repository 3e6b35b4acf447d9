import { test } from "uvu";
import * as assert from "uvu/assert";
import { Subscriptions } from "../../../src/gateway/mqtt/subscriptions.js";
import { TIMES } from "../../../src/gateway/mqtt/times.js";
import { FakeClock } from "../../support/fake-clock.js";

function fixture() {
  const requests: string[] = [];
  const refused: string[] = [];
  let answer: ((refused: boolean) => void) | undefined;
  let completed = 0;
  const unanswered: string[] = [];
  const clock = new FakeClock();
  const subscriptions = new Subscriptions(clock, {
    refused: (filter) => refused.push(filter),
    unanswered: (filter) => unanswered.push(filter),
  });
  const connect = () =>
    subscriptions.connected(
      {
        subscribe({ filter }, done) {
          requests.push(filter);
          answer = done;
        },
        unsubscribe(filter, done) {
          requests.push(`-${filter}`);
          answer = () => done();
        },
      },
      () => completed++,
    );
  const answered = (isRefused = false) => {
    const done = answer;
    answer = undefined;
    assert.ok(done, `nothing to answer: ${requests}`);
    done(isRefused);
  };
  return { subscriptions, clock, requests, refused, unanswered, connect, answered, completed: () => completed };
}

test("one after the other, in the order in which they were added, again after each reconnect", () => {
  const { subscriptions, requests, refused, connect, answered, completed } = fixture();
  for (const filter of ["s/+", "a/+"]) subscriptions.add({ filter });
  connect();
  assert.equal(requests, ["s/+"]);
  answered();
  assert.equal(requests, ["s/+", "a/+"]);
  assert.is(completed(), 0);
  answered(true);
  assert.is(completed(), 1);
  assert.equal(refused, ["a/+"]);
  subscriptions.lost();
  connect();
  answered();
  answered();
  assert.equal(requests, ["s/+", "a/+", "s/+", "a/+"]);
  assert.is(completed(), 2);
});

test("renewed: subscribed to once more, for the sake of what the broker keeps", () => {
  const { subscriptions, requests, connect, answered } = fixture();
  subscriptions.add({ filter: "x" });
  subscriptions.renew("x");
  connect();
  answered();
  subscriptions.renew("x");
  answered();
  subscriptions.renew("unknown");
  assert.equal(requests, ["x", "x"]);
});

test("added and removed at run time, also while a request is on its way", () => {
  const { subscriptions, requests, connect, answered, completed } = fixture();
  connect();
  assert.is(completed(), 1);
  subscriptions.add({ filter: "x" });
  subscriptions.add({ filter: "y" });
  subscriptions.remove("x");
  subscriptions.remove("y");
  answered();
  assert.equal(requests, ["x", "-x"], "y was never asked for");
  answered();
  subscriptions.add({ filter: "x" });
  assert.equal(requests, ["x", "-x", "x"]);
});

test("an answer of a session that is lost counts for nothing", () => {
  const { subscriptions, requests, connect, answered } = fixture();
  subscriptions.add({ filter: "x" });
  connect();
  subscriptions.lost();
  answered(true);
  subscriptions.add({ filter: "y" });
  assert.equal(requests, ["x"]);
  connect();
  answered();
  assert.equal(requests, ["x", "x", "y"]);
});

test("a broker that does not answer is asked for the next one all the same, and its late answer counts for nothing", () => {
  const { subscriptions, clock, requests, unanswered, connect, answered, completed } = fixture();
  for (const filter of ["x", "y", "z"]) subscriptions.add({ filter });
  let late: (() => void) | undefined;
  subscriptions.connected(
    { subscribe: (_subscription, done) => (late ??= () => done(true)), unsubscribe: () => {} },
    () => {},
  );
  subscriptions.lost();
  clock.advanceMs(2 * TIMES.answerMs);
  assert.equal(unanswered, [], "nobody waits for a lost session");
  connect();
  clock.advanceMs(TIMES.answerMs - 1);
  late?.();
  assert.equal(requests, ["x"]);
  assert.ok(subscriptions.isBusy);
  clock.advanceMs(1);
  assert.equal(requests, ["x", "y"]);
  assert.equal(unanswered, ["x"]);
  answered();
  answered();
  assert.equal(requests, ["x", "y", "z"]);
  assert.is(completed(), 1);
  assert.not.ok(subscriptions.isBusy);
  clock.advanceMs(2 * TIMES.answerMs);
  assert.equal(unanswered, ["x"], "an answer ends the waiting");
});

test("at most 1,000 filters", () => {
  const { subscriptions } = fixture();
  for (let n = 0; n < 1000; n++) subscriptions.add({ filter: `t${n}` });
  assert.throws(() => subscriptions.add({ filter: "more" }), /"more": more than 1000 filters/);
});

test.run();
