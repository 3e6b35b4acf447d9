/** Own packets that come back are told by their bytes and their source, for two seconds. */

import { test } from "uvu";
import * as assert from "uvu/assert";
import { Echoes } from "../../../src/gateway/mdns/echoes.js";
import { FakeClock } from "../../support/fake-clock.js";

const isOwn = (address: string) => address === "10.0.0.1" || address === "fe80::1";

test("a packet is known for 2 s after it was sent last, however often it comes back", () => {
  const clock = new FakeClock();
  const echoes = new Echoes(clock, isOwn);
  echoes.sent(Buffer.from("a"));
  clock.advanceMs(1500);
  echoes.sent(Buffer.from("b"));
  echoes.sent(Buffer.from("a"));
  clock.advanceMs(2000);
  assert.equal(
    [
      echoes.has(Buffer.from("a"), "10.0.0.1"),
      echoes.has(Buffer.from("a"), "10.0.0.1"),
      echoes.has(Buffer.from("c"), "10.0.0.1"),
    ],
    [true, true, false],
  );
  clock.advanceMs(1);
  assert.equal([echoes.has(Buffer.from("a"), "10.0.0.1"), echoes.has(Buffer.from("b"), "10.0.0.1")], [false, false]);
});

test("of very many packets the last 512 are known", () => {
  const echoes = new Echoes(new FakeClock(), isOwn);
  for (let i = 0; i < 1000; i++) echoes.sent(Buffer.from(`${i}`));
  assert.equal([echoes.has(Buffer.from("487"), "10.0.0.1"), echoes.has(Buffer.from("488"), "10.0.0.1")], [false, true]);
});

test("the same bytes from another host are none of ours", () => {
  const echoes = new Echoes(new FakeClock(), isOwn);
  echoes.sent(Buffer.from("a"));
  const sources = ["10.0.0.1", "10.0.0.2", "fe80::1%eth0", "fe80::2%eth0"];
  assert.equal(
    sources.map((source) => echoes.has(Buffer.from("a"), source)),
    [true, false, true, false],
  );
});

test.run();
