/** Mutated answers through the scanner, as a client reads them, and mutated frames. Longer runs: `npm run fuzz`. */

import { test } from "uvu";
import * as assert from "uvu/assert";
import { fuzz } from "../../scripts/fuzz/targets.js";

test("350,000 mutated answers are judged and read as by the reference", () => {
  const valid = fuzz("scanner-client", 350_000);
  assert.ok(valid > 20_000 && valid < 330_000, `${valid} valid ones: the mutations miss one side`);
});

test("400,000 streams of frames, cut anywhere, give the messages of the reference", () => {
  const valid = fuzz("frames", 400_000);
  assert.ok(valid > 100_000 && valid < 390_000, `${valid} valid ones`);
});
test.run();
