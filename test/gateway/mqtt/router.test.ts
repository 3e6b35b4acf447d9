import { test } from "uvu";
import * as assert from "uvu/assert";
import type { Received } from "../../../src/gateway/mqtt/mqtt-client.js";
import { Router, type TopicHandler } from "../../../src/gateway/mqtt/router.js";

const LIVE: Received = { retained: false, userProperties: {} };

function fixture() {
  const requests: string[] = [];
  const errors: string[] = [];
  const router = new Router(
    {
      subscribe: ({ filter, noLocal }) => requests.push(`subscribe ${filter}${noLocal ? " nl" : ""}`),
      renew: (filter) => requests.push(`renew ${filter}`),
      unsubscribe: (filter) => requests.push(`unsubscribe ${filter}`),
      isSubscribing: false,
    },
    (topic, error) => errors.push(`${topic}: ${error}`),
  );
  const handler = (name: string, filters: TopicHandler["filters"]) => {
    const heard: string[] = [];
    const made: TopicHandler & { heard: TopicHandler["heard"]; readonly log: string[] } = {
      name,
      filters,
      log: heard,
      heard(topic, payload, retained) {
        if (topic.endsWith("boom")) throw new Error("boom");
        heard.push(`${topic} ${Buffer.from(payload)}${retained ? " kept" : ""}`);
      },
      brokerBack: () => heard.push("back"),
      brokerLost: () => heard.push("lost"),
      stop: () => heard.push("stop"),
    };
    router.add(made);
    return made;
  };
  return { router, requests, errors, handler };
}

test("a message goes to everybody who asked for it, once", () => {
  const { router, handler, requests } = fixture();
  const one = handler("one", ["sd1/a/+", "sd1/#"]);
  const two = handler("two", ["other/+", { filter: "sd1/a/+", noLocal: true }]);
  router.heard("sd1/a/x", Buffer.from("1"), LIVE);
  router.heard("other/x", Buffer.from("2"), { ...LIVE, retained: true });
  router.heard("nobody", Buffer.from("3"), LIVE);
  assert.equal(one.log, ["sd1/a/x 1"]);
  assert.equal(two.log, ["sd1/a/x 1", "other/x 2 kept"]);
  assert.equal(requests, ["subscribe sd1/a/+", "subscribe sd1/#", "subscribe other/+", "renew sd1/a/+"]);
});

test("filters come and go at run time; the broker is told when the first comes and the last goes", () => {
  const { router, handler, requests } = fixture();
  const one = handler("one", []);
  const two = handler("two", []);
  router.listen(one, { filter: "x/+", noLocal: true });
  router.listen(two, "x/+");
  router.leave(one, "x/+");
  router.leave(one, "x/+");
  router.heard("x/1", Buffer.from("a"), LIVE);
  router.leave(two, "x/+");
  router.heard("x/1", Buffer.from("b"), LIVE);
  assert.equal(one.log, []);
  assert.equal(two.log, ["x/1 a"]);
  assert.equal(requests, ["subscribe x/+ nl", "renew x/+", "unsubscribe x/+"]);
});

test("what goes wrong in one handler costs nothing but that message there", () => {
  const { router, handler, errors } = fixture();
  handler("one", ["#"]);
  const two = handler("two", ["+/ok", "#"]);
  router.heard("a/boom", Buffer.from("1"), LIVE);
  router.heard("a/ok", Buffer.from("2"), LIVE);
  assert.equal(errors, ["a/boom: Error: boom", "a/boom: Error: boom"]);
  assert.equal(two.log, ["a/ok 2"]);
});

test("losses and returns of the broker are told to all", () => {
  const { router, handler } = fixture();
  const one = handler("one", []);
  router.brokerBack();
  router.brokerLost();
  router.stop();
  assert.equal(one.log, ["back", "lost", "stop"]);
});

test.run();
