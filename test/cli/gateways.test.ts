/** `pafc ADDR gateways` with a real server, and services as gateways publish them, and as somebody else might. */

import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Session } from "../../src/client/session.js";
import { properties } from "../../src/core/properties.js";
import { type LiveDomain, liveDomain, soon } from "../client/live-domain.js";
import { pafc, Run } from "./run.js";

const test = suite("gateways");
let live: LiveDomain;
let owner: Session;

test.before.each(async () => {
  live = await liveDomain();
  owner = await Session.connect(live.ux, { clientId: 0x2an });
});
test.after.each(() => {
  owner.close();
  live.close();
});

const publish = (id: bigint, of: Parameters<typeof properties>[0], by = owner) =>
  by.publish({ id, generation: 0n, ttlSeconds: 30n, properties: properties(of) });

const FIRST = { src: "gateway:board1", host: "board1" };
const MQTT = { ...FIRST, name: "mqtt localhost:1883", gateway: "mqtt", state: "waiting" };

async function printed(...argv: string[]): Promise<string> {
  const { code, stdout, stderr } = await pafc(...argv);
  assert.equal([code, stderr], [0, ""], stdout);
  return stdout;
}

test("a table by host and name: state, counts, dropped, last error; an orphan is marked; other services are none", async () => {
  const error = { error: "Connection refused", "error.time": Math.floor(Date.now() / 1000) - 3600 };
  await publish(1n, { ...MQTT, "count.published": 12, "count.received": 2, "dropped.malformed": 3, ...error });
  await publish(2n, { name: "printer", src: "mdns:board1" });
  const leaving = await Session.connect(live.ux, { clientId: 0x2bn });
  await publish(3n, { src: "gateway:alpha", name: "mdns eth0", gateway: "mdns", state: "running" }, leaving);
  const orphaned = new Promise<void>((resolve) => {
    void owner.subscribe(1n, "(name=mdns eth0)", (match) => {
      if (match.type === "modified" && match.service.orphanSince !== undefined) resolve();
    });
  });
  await owner.ping();
  leaving.close();
  await publish(4n, { ...FIRST, name: "federation", gateway: "federation", state: "running", "count.peers": 2 });
  await soon(orphaned, "the orphan");
  const [header, ...lines] = (await printed(live.tcp, "gateways")).split("\n");
  assert.match(lines[3], /^ {2}last error 1:00:0\d ago: Connection refused$/);
  assert.equal(
    [header, ...lines.slice(0, 3), lines[4]],
    [
      "Host    Gateway              State            Counts                    Dropped",
      "alpha   mdns eth0            running, orphan  -                         -",
      "board1  federation           running          peers 2                   -",
      "board1  mqtt localhost:1883  waiting          published 12, received 2  malformed 3",
      "",
    ],
  );
});

test("JSON: what a gateway does not tell is absent", async () => {
  await publish(0x1fn, { ...MQTT, "count.n": 9007199254740993n, "dropped.x": 1, error: "no", "error.time": 17 });
  await publish(2n, { src: "gateway:" });
  assert.is(
    await printed("--json", live.ux, "gateways"),
    '[{"id":"2","host":"","orphan":false,"counts":{},"dropped":{}},' +
      '{"id":"1f","host":"board1","name":"mqtt localhost:1883","gateway":"mqtt","state":"waiting","orphan":false,' +
      '"counts":{"n":9007199254740993},"dropped":{"x":1},"error":"no","errorTime":17}]\n',
  );
});

test("how old it is, if it is older than a gateway's next look", async () => {
  const now = Math.floor(Date.now() / 1000);
  await publish(1n, { ...FIRST, name: "a", state: "running", time: now - 4000 });
  await publish(2n, { ...FIRST, name: "b", state: "running", time: now });
  await publish(3n, { ...FIRST, name: "c", state: "running", time: now + 4000 });
  await publish(4n, { ...FIRST, name: "d", state: "running", time: "yesterday" });
  const states = (await printed(live.ux, "gateways")).split("\n").slice(1, 5);
  assert.match(states[0], /^board1 {2}a {8}running, told 1:06:\d\d ago {2}-/);
  for (const line of states.slice(1)) assert.match(line, /^board1 {2}[bcd] {8}running {2,}- /);
  assert.match(await printed("--json", live.ux, "gateways"), new RegExp(`"state":"running","time":${now - 4000},`));
});

test("what anybody may publish disturbs no terminal: control characters, other types, several values", async () => {
  await publish(1n, {
    src: "gateway:\x1b[2J",
    name: ["a\nb", "second"],
    state: 7,
    "count.\x07": 1,
    "count.text": "many",
    "dropped.\r": -1,
    error: "\x1b]0;x\x07",
    "error.time": 2n ** 63n - 1n,
  });
  assert.equal((await printed(live.ux, "gateways")).split("\n"), [
    "Host     Gateway  State  Counts  Dropped",
    "\\x1b[2J  a\\nb     -      \\x07 1  \\r -1",
    "  last error 0:00:00 ago: \\x1b]0;x\\x07",
    "",
  ]);
});

test("none, and at the prompt", async () => {
  const none = await printed(live.ux, "gateways");
  assert.match(none, /^There is no gateway in this domain: /);
  assert.is(await printed("--json", live.ux, "gateways"), "[]\n");
  const run = new Run([live.ux]);
  run.stdin.write("gateways\n");
  await run.stdout.watch.until(() => run.stdout.text === `> ${none}OK.\n> `, "that there is none");
  await publish(1n, MQTT);
  run.stdin.end("gateways\n");
  assert.is(await run.code, 0);
  assert.equal(run.lines.slice(-4), [
    "> Host    Gateway              State    Counts  Dropped",
    "board1  mqtt localhost:1883  waiting  -       -",
    "OK.",
    "> ",
  ]);
});

test.run();
