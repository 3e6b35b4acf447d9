import { test } from "uvu";
import * as assert from "uvu/assert";
import { Subscriptions } from "../../../src/gateway/mqtt/subscriptions.js";

function fixture() {
  const requests: string[] = [];
  const refused: string[] = [];
  let answer: ((refused: boolean) => void) | undefined;
  let completed = 0;
  const subscriptions = new Subscriptions((filter) => refused.push(filter));
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
  return { subscriptions, requests, refused, connect, answered, completed: () => completed };
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

test("at most 1,000 filters", () => {
  const { subscriptions } = fixture();
  for (let n = 0; n < 1000; n++) subscriptions.add({ filter: `t${n}` });
  assert.throws(() => subscriptions.add({ filter: "more" }), /"more": more than 1000 filters/);
});

test.run();
