/** Mutated requests through the scanner, as a server reads them, compared with a plain reference. Longer runs: `npm run fuzz`. */

import { test } from "uvu";
import * as assert from "uvu/assert";
import { fuzz } from "../../scripts/fuzz/targets.js";

test("500,000 mutated requests are judged and read as by the reference", () => {
  const valid = fuzz("scanner-server", 500_000);
  assert.ok(valid > 25_000 && valid < 450_000, `${valid} valid ones: the mutations miss one side`);
});
test.run();
