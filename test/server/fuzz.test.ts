/** Whole sessions in memory, compared with a plain model of a domain. Longer: `npm run fuzz -- --target domain`. */

import { test } from "uvu";
import * as assert from "uvu/assert";
import { fuzz } from "../../scripts/fuzz/targets.js";

for (const [title, seed, count] of [
  ["the same 500 scripts every time", 1, 500],
  ["250 others", Date.now() % 1_000_000_000, 250],
] as const) {
  test(`${title}: every message as the model says, and nothing is left at the end`, () => {
    const valid = fuzz("domain", count, seed);
    assert.ok(valid > count / 8 && valid < count / 2, `${valid} scripts without a mutation`);
  });
}

test.run();
