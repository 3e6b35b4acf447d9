/** Changes per second, and the pauses between attempts to connect. */

import { test } from "uvu";
import * as assert from "uvu/assert";
import { Rates } from "../../../src/cli/top/rates.js";

test("the mean of the last five whole seconds", () => {
  const rates = new Rates();
  const appeared = (nowMs: number) => rates.perSecond(nowMs).appeared;
  for (let i = 0; i < 10; i++) rates.count("appeared", 10_000 + i * 100);
  assert.is(appeared(10_999), 0, "the second that runs does not count yet");
  for (const nowMs of [11_000, 12_500, 15_999]) assert.is(appeared(nowMs), 2);
  assert.is(appeared(16_000), 0);
  for (let second = 20; second < 30; second++) {
    for (let i = 0; i <= second - 20; i++) rates.count("appeared", second * 1000);
  }
  assert.is(appeared(29_500), (5 + 6 + 7 + 8 + 9) / 5);
  assert.is(appeared(30_000), (6 + 7 + 8 + 9 + 10) / 5);
  rates.count("modified", 30_000);
  assert.equal(rates.perSecond(31_000), { appeared: (7 + 8 + 9 + 10) / 5, modified: 0.2, disappeared: 0 });
  assert.equal(rates.totals, { appeared: 65, modified: 1, disappeared: 0 });
});

test.run();
