import { test } from "uvu";
import * as assert from "uvu/assert";
import { fuzz } from "../../../../scripts/fuzz/targets.js";

// `npm run fuzz -- --target mqtt-conventions` goes on for longer, with other seeds.
test("disturbed announcements", () => {
  const valid = fuzz("mqtt-conventions", 300);
  assert.ok(valid > 100 && valid < 300, `${valid} of 300 sessions showed a device`);
});

test.run();
