/** Random filters and records, compared with plain references. Longer runs: `npm run fuzz`. */

import { test } from "uvu";
import * as assert from "uvu/assert";
import { fuzz } from "../../scripts/fuzz/targets.js";

test("200,000 filters: positions, canonical text, compiled program, memory", () => {
  const valid = fuzz("filter", 200_000);
  assert.ok(valid > 80_000 && valid < 195_000, `${valid} valid ones`);
});

test("60,000 records: any order, repeated names and values, exact JSON length, equality, memory", () => {
  assert.is(fuzz("record", 60_000), 60_000);
});
test.run();
