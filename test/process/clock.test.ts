/** The wall clock of a running pafd is stepped by a day, forward and back: nobody is dropped, no orphan goes early. */

import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { Client, withFolder, withPafd } from "../support/pafd.js";
import { root } from "../support/root.js";
import { endSoon, freshName } from "../support/transport-peers.js";

test.after(endSoon);

const DAY = 86_400;
const TTL = 2;

test("a clock that is stepped by a day, forward and back, changes what is shown and nothing else", () =>
  withFolder(async (folder) => {
    const shim = join(folder, "clock-shim.so");
    const compiled = spawnSync(
      process.env.CC ?? "cc",
      ["-shared", "-fPIC", "-O1", "-o", shim, join(root, "test/support/clock-shim.c"), "-ldl"],
      { encoding: "utf8" },
    );
    assert.is(compiled.status, 0, compiled.stderr ?? String(compiled.error));
    const file = join(folder, "offset");
    let offset = 0;
    const step = (seconds: number) => {
      offset += seconds;
      writeFileSync(file, String(offset));
    };
    step(0);
    const address = `ux:${freshName()}`;
    const env = { LD_PRELOAD: shim, CLOCK_SHIM_FILE: file };
    await withPafd(
      [address],
      async () => {
        const watcher = await Client.connect(address, 1);
        const idler = await Client.connect(address, 2);
        watcher.request("subscribe", 1, { "subscription-id": 1 });
        await watcher.receives(2);
        let taId = 10;
        for (const [round, seconds] of [DAY, -DAY, -DAY, DAY].entries()) {
          const since = (text: string) => Number(/"orphan-since":([\d.]+)/.exec(text)?.[1]);
          const shown = () => Date.now() / 1000 + offset;
          watcher.messages.length = 0;
          const owner = await Client.connect(address, 100 + round);
          const service = { "service-id": 7, generation: 0, "service-props": {}, ttl: TTL };
          assert.match(await owner.ask("publish", 1, service), /"complete"/);
          const [earliest, left] = [shown(), performance.now()];
          owner.connection.close();
          await watcher.receives(2);
          const orphan = watcher.messages[1]!;
          assert.match(orphan, /"match-type":"modified"/);
          assert.ok(since(orphan) >= earliest - 0.01 && since(orphan) <= shown() + 0.01, `${orphan} at ${shown()}`);
          step(seconds);
          assert.match(await idler.ask("ping", ++taId), /"complete"/);
          assert.is(watcher.messages.length, 2, "nothing has happened");
          await watcher.receives(3);
          const livedMs = performance.now() - left;
          assert.match(watcher.messages[2]!, /"match-type":"disappeared"/);
          assert.ok(livedMs >= TTL * 1000, `the orphan lived for ${livedMs} ms`);
          const newcomer = await Client.connect(address, 200 + round);
          newcomer.messages.length = 0;
          const before = Math.floor(shown()) - 1;
          await newcomer.ask("clients", 1);
          const own = newcomer.messages.find((text) => text.includes(`"client-id":${200 + round},`))!;
          const time = Number(/"time":(\d+)/.exec(own)![1]);
          assert.ok(time >= before && time <= shown(), `${own} at ${shown()}`);
          assert.is(newcomer.messages.length, 5, "everybody is there");
          for (const text of newcomer.messages) {
            const idle = /"idle":([\d.]+)/.exec(text);
            if (idle) assert.ok(Number(idle[1]) < 60, text);
          }
          newcomer.connection.close();
        }
        assert.is(watcher.closes + idler.closes, 0);
        watcher.connection.close();
        idler.connection.close();
      },
      { env },
    );
  }));

test.run();
