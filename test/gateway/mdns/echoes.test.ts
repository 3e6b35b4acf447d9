/** Own packets that come back are told by their bytes, for two seconds. */

import { test } from "uvu";
import * as assert from "uvu/assert";
import { Echoes } from "../../../src/gateway/mdns/echoes.js";
import { FakeClock } from "../../support/fake-clock.js";

test("a packet is known for 2 s after it was sent last, however often it comes back", () => {
  const clock = new FakeClock();
  const echoes = new Echoes(clock);
  echoes.sent(Buffer.from("a"));
  clock.advanceMs(1500);
  echoes.sent(Buffer.from("b"));
  echoes.sent(Buffer.from("a"));
  clock.advanceMs(2000);
  assert.equal(
    [echoes.has(Buffer.from("a")), echoes.has(Buffer.from("a")), echoes.has(Buffer.from("c"))],
    [true, true, false],
  );
  clock.advanceMs(1);
  assert.equal([echoes.has(Buffer.from("a")), echoes.has(Buffer.from("b"))], [false, false]);
});

test("of very many packets the last 512 are known", () => {
  const echoes = new Echoes(new FakeClock());
  for (let i = 0; i < 1000; i++) echoes.sent(Buffer.from(`${i}`));
  assert.equal([echoes.has(Buffer.from("487")), echoes.has(Buffer.from("488"))], [false, true]);
});

test.run();
