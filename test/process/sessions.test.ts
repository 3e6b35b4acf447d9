/** Whole sessions, disturbed, against the real process while a witness checks. Longer: `npm run fuzz -- sessions`. */

import { test } from "uvu";
import { fuzzSessions, sessionReport } from "../../scripts/fuzz/sessions/run.js";
import { endSoon } from "../support/transport-peers.js";

test.after(endSoon);

for (const [title, seed, messages] of [
  ["the same 60,000 messages every time", 20_260, 60_000],
  ["40,000 others", Date.now() % 1_000_000_000, 40_000],
] as const) {
  test(`${title}: no crash, nothing left behind, the witness undisturbed`, async () => {
    console.log(sessionReport(await fuzzSessions({ messages, seed }), seed));
  });
}

test.run();
