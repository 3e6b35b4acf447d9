/** Two boards of one name over a broker that takes its time: whatever crosses on the way, one stays, and both are told why. */

import { test } from "uvu";
import * as assert from "uvu/assert";
import { OwnPresence } from "../../../../src/gateway/mqtt/federation/own-presence.js";
import { FakeClock } from "../../../support/fake-clock.js";
import { generator } from "../../mdns/mutated-packets.js";
import { keptLog } from "../recording-directory.js";

const INSTANCES = ["00000000000a", "00000000000b"] as const;
const HEARTBEAT_SECONDS = 60;
/** Each way, at most; each message takes some part of it, and none overtakes another on the way to one board. */
const LATENCIES_MS = [5, 50, 500, 3000, 8000];

function play(seed: number) {
  const below = generator(seed);
  const clock = new FakeClock();
  const latencyMs = LATENCIES_MS[below(LATENCIES_MS.length)];
  const after = (what: () => void) => clock.after("network", below(latencyMs), what);
  const links: ((text: string) => void)[] = [];
  let kept: string | undefined;

  const board = (instance: string) => {
    let isYielded = false;
    let isSynced = false;
    let arrivesMs = 0;
    const said: string[] = [];
    const log = keptLog();
    const presence = new OwnPresence({
      ...{
        topic: "pf1/attic",
        board: "attic",
        instance,
        heartbeatSeconds: HEARTBEAT_SECONDS,
        clock,
        timers: clock,
        log,
      },
      size: () => 1,
      boards: () => 1,
      publish(_topic, payload) {
        said.push(payload);
        after(() => {
          kept = payload;
          for (const deliver of links) deliver(payload);
        });
        return "sent";
      },
      onHeard() {
        if (!isSynced) after(() => presence.complete());
        isSynced = true;
      },
      onListened() {},
      onYield: () => (isYielded = true),
    });
    const deliver = (text: string) => {
      arrivesMs = Math.max(arrivesMs, clock.monotonicMs() + below(latencyMs));
      clock.after("network", arrivesMs - clock.monotonicMs(), () => presence.heard(text));
    };
    if (kept !== undefined) deliver(kept);
    links.push(deliver);
    presence.connected();
    return { log, said, isYielded: () => isYielded };
  };

  const first = board(INSTANCES[seed % 2]);
  clock.advanceMs(below(200_000));
  const second = board(INSTANCES[(seed + 1) % 2]);
  clock.advanceMs(5 * HEARTBEAT_SECONDS * 1000);
  const saidBefore = [first.said.length, second.said.length];
  clock.advanceMs(5 * HEARTBEAT_SECONDS * 1000);
  return {
    warned: [first, second].map(({ log }) => log.count(/Another gateway calls itself attic/) > 0),
    yielded: [first, second].filter((one) => one.isYielded()).length,
    saidLately: [first, second].map(({ said }, i) => said.length - saidBefore[i]).sort((a, b) => a - b),
  };
}

test("one stays, both warn, and only heartbeats are left", () => {
  for (let seed = 1; seed <= 500; seed++) {
    const expected = { warned: [true, true], yielded: 1, saidLately: [0, 5] };
    assert.equal(play(seed), expected, `seed ${seed}`);
  }
});

test.run();
