/** The user's wish to end: the first signal is heeded, and one that comes right behind it does not end the process. */

import { constants } from "node:os";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { type Interrupt, Interrupts, interruptedCode } from "../../src/cli/interrupts.js";
import { soon } from "../client/live-domain.js";

const SIGNALS: readonly Interrupt[] = ["SIGINT", "SIGTERM", "SIGHUP"];
const listeners = () => SIGNALS.map((name) => process.listenerCount(name));

test("the first signal is told; the same signal right behind it finds a handler still", async () => {
  for (const name of SIGNALS) {
    const before = listeners();
    const interrupts = new Interrupts(undefined);
    const first = interrupts.first();
    process.kill(process.pid, name);
    assert.is(await soon(first, name), name);
    assert.equal(
      listeners(),
      before.map((count) => count + 1),
      "timeout(1) signals twice",
    );
    interrupts.ignore();
    assert.equal(listeners(), before);
    assert.is(interruptedCode(name), 128 + constants.signals[name]);
  }
});

test.run();
