import { test } from "uvu";
import * as assert from "uvu/assert";
import { ResourceCounter, UNLIMITED } from "../../src/core/limits.js";

const counter = (total: number, user: number) =>
  new ResourceCounter({ total: { ...UNLIMITED, services: total }, user: { ...UNLIMITED, services: user } });

test("the limit itself is allowed, one more is not, and what is given back can be taken again", () => {
  const limits = counter(3, 2);
  assert.equal(
    ["a", "a", "a", "b", "b", "c"].map((user) => limits.take("services", user)),
    [true, true, false, true, false, false],
  );
  assert.is(limits.used("services"), 3);
  limits.giveBack("services", "a");
  assert.not(counter(3, 0).take("services", "a"));
  assert.ok(limits.take("services", "c"));
  assert.is(limits.used("services"), 3);
});

test("0 means none, other resources are not concerned, local clients heed only the total", () => {
  assert.not(counter(0, 5).take("services", "a"));
  assert.ok(counter(0, 0).take("subscriptions", "a"));
  const limits = counter(1, 0);
  assert.not(limits.take("services", "a"));
  assert.ok(limits.take("services", "a", true));
  assert.not(limits.take("services", "a", true));
});

test("a user without tokens is forgotten; a refusal leaves no trace", () => {
  const limits = counter(1, 1);
  const users = (limits as unknown as { users: Map<string, unknown> }).users;
  limits.take("services", "a");
  limits.take("services", "b");
  assert.is(users.size, 1);
  limits.giveBack("services", "a");
  assert.is(users.size, 0);
});

test.run();
