import { test } from "uvu";
import * as assert from "uvu/assert";
import { fuzz } from "../../../../scripts/fuzz/targets.js";

// `npm run fuzz -- --target federation` goes on for longer, with other seeds.
test("disturbed messages of other boards", () => {
  const valid = fuzz("federation", 300);
  assert.ok(valid > 100 && valid < 300, `in ${valid} of 300 sessions something was imported`);
});

test.run();
