/** What is done again and again leaves nothing behind: the heap is as large as before, and Node.js has nothing to warn of. */

import { test } from "uvu";
import * as assert from "uvu/assert";
import { boundAddress, withPafd } from "../support/pafd.js";
import { endSoon } from "../support/transport-peers.js";
import { compile, Program } from "./program.js";

test.after(endSoon);

/**
 * Bytes that a repetition may cost: less than the smallest thing that could be left behind (an entry of a map and what it
 * points to; a whole session). What is left behind shows in every round, while the heap's own figure goes up and down: by
 * some 40 KB here, so that rounds have hundreds of repetitions.
 */
const LEAST_LEAK: Readonly<Record<string, number>> = {
  "attach, close": 400,
  "attach, abandon": 400,
  "subscribe, cancel": 100,
  "matches, break": 100,
  "publish, modify, unpublish": 100,
  "calls of a session": 100,
  reconnect: 400,
  setServers: 400,
};
const ROUNDS = 5;

const REPEATER = compile(`
  import { connect, createServer } from "node:net";
  import { attach, Session } from "./src/client/index.ts";
  import { eventLoop } from "./src/client/event-loop.ts";
  const [address] = process.argv.slice(2);
  process.on("warning", (warning) => console.log("warning", warning));
  process.on("unhandledRejection", (error) => console.log("unhandled", error));
  const env = { PAF_RECONNECT_MIN: "0.001", PAF_RECONNECT_MAX: "0.002" };
  const servers = [{ address }];
  const turn = () => new Promise(setImmediate);
  const heap = async () => {
    for (let i = 0; i < 5; i++) { await turn(); gc(); }
    return process.memoryUsage().heapUsed;
  };
  /** How much the heap grows in each round but the first. */
  const growth = async (name, count, once, settled = turn) => {
    const rounds = [];
    let before;
    for (let round = 0; round < ${ROUNDS}; round++) {
      for (let i = 0; i < count / ${ROUNDS}; i++) await once(i);
      await settled();
      const now = await heap();
      if (before !== undefined) rounds.push(now - before);
      before = now;
    }
    console.log(JSON.stringify({ name, count, rounds }));
  };
  const shutDown = new AbortController();
  const { signal } = shutDown;
  (async () => {
    const lasting = attach({ servers }, { env, signal });
    lasting.publish({ name: "lasting" });
    const first = async (domain) => { for await (const match of domain.matches("(name=lasting)", { signal })) return match; };
    await first(lasting);
    await growth("attach, close", 2000, async (i) => {
      const domain = attach({ servers }, { env, signal });
      domain.publish({ name: "passing" });
      if (i % 2 === 0) await first(domain);
      await (i % 3 === 0 ? domain.close({ signal }) : domain.close());
    });
    await growth("attach, abandon", 2000, async (i) => {
      const domain = attach({ servers }, { env, signal });
      if (i % 2 === 0) await first(domain);
      domain.abandon();
      await domain.close();
    });
    await growth("subscribe, cancel", 10000, (i) => new Promise((resolve) => {
      const subscription = lasting.subscribe("(name=lasting)", () => { subscription.cancel(); resolve(); });
      if (i % 10 === 0) { subscription.cancel(); resolve(); }
    }));
    await growth("matches, break", 5000, () => first(lasting));
    const session = await Session.connect(address, { clientId: 1n });
    const onlyLasting = async () => { while ((await session.services()).length > 1); };
    await growth("publish, modify, unpublish", 10000, async (i) => {
      const service = lasting.publish({ name: "passing", i });
      await turn();
      if (i % 2 === 0) service.modify({ name: "passing", i: -1 });
      if (i % 4 === 0) await turn();
      service.unpublish();
    }, onlyLasting);
    await growth("calls of a session", 10000, async () => {
      await session.ping({ signal });
      await session.services("(name=nobody)", { signal });
    });
    session.close();
    const through = new Set();
    const proxy = createServer((client) => {
      const server = connect(+address.split(":")[2], "127.0.0.1");
      for (const [from, to] of [[client, server], [server, client]]) {
        from.on("error", () => {}).on("close", () => to.destroy()).pipe(to);
      }
      through.add(client.on("close", () => through.delete(client)));
    }).listen(0, "127.0.0.1");
    await new Promise((go) => proxy.once("listening", go));
    const far = attach({ servers: [{ address: "tcp:127.0.0.1:" + proxy.address().port }] }, { env, signal });
    for (let i = 0; i < 20; i++) far.publish({ name: "far", i });
    far.subscribe("(name=lasting)", () => {});
    let connections = 0;
    await growth("reconnect", 1500, async () => {
      while (far.links[0].state !== "operational") await new Promise((go) => setTimeout(go, 1));
      await turn();
      for (const socket of through) socket.destroy();
      while (far.links[0].state === "operational") await turn();
      connections++;
    });
    console.log("reconnected", connections);
    await growth("setServers", 1000, async (i) => {
      far.setServers(i % 2 === 0 ? servers : []);
      if (i % 4 === 0) while (far.links[0].state !== "operational") await new Promise((go) => setTimeout(go, 1));
    });
    // A program may give one signal to all that it does.
    const domains = Array.from({ length: 50 }, () => attach({ servers }, { env, signal }));
    const iterators = domains.map((domain) => domain.matches(undefined, { signal }));
    proxy.close();
    shutDown.abort();
    for (const iterator of iterators) await iterator.next();
    console.log("timers", eventLoop().timers.size);
  })();
`);

test("attach, subscribe, publish, reconnect, thousands of times", async () => {
  await withPafd(["tcp:127.0.0.1:0"], async (pafd) => {
    const address = await boundAddress(pafd, "tcp:127.0.0.1:0");
    const program = new Program(REPEATER, { args: [address], nodeArgs: ["--expose-gc"] });
    // The watch's limit is for each line.
    for (let line = 1; line <= 10; line++) {
      await program.until(
        () => program.output.split("\n").length > line || program.hasEnded,
        `line ${line}: ${program.output}`,
      );
    }
    const { code, output } = await program.ends();
    console.log(output);
    assert.is(code, 0, output);
    assert.not(/warning|unhandled/.test(output), output);
    const loops = output.split("\n").filter((line) => line.startsWith("{"));
    assert.equal(
      loops.map((line) => JSON.parse(line).name),
      Object.keys(LEAST_LEAK),
    );
    for (const { name, count, rounds } of loops.map((line) => JSON.parse(line))) {
      const bytes = Math.min(...rounds) / (count / ROUNDS);
      assert.ok(bytes < LEAST_LEAK[name]!, `${name}: ${bytes} bytes each`);
    }
    assert.match(output, /^timers 0$/m);
    assert.match(output, /^reconnected 1500$/m);
  });
});

test.run();
