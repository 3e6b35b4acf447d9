/**
 * The whole mDNS gateway on real sockets, in a network namespace of its own: hand-made hosts that do what ordinary
 * responders never do. What needs exact times is in overhear.test.ts and browser.test.ts, on a fake clock.
 */

import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { Gateway } from "../../../src/gateway/gateway.js";
import { mdnsGateway } from "../../../src/gateway/mdns/gateway.js";
import { runInNamespace } from "../../support/inside-namespace.js";
import { RecordingDirectory } from "../recording-directory.js";
import { HandMadeHost, HandMadeResponder, recordsOf } from "./hand-made-host.js";
import { CORPUS, generator, mutate } from "./mutated-packets.js";

const LO = "127.0.0.1";
const LIMIT_MS = 10_000;
const packets = suite("packets");

/** Resolves when `condition` holds; rejects after `LIMIT_MS`. */
async function until(what: string, condition: () => boolean): Promise<void> {
  const endMs = performance.now() + LIMIT_MS;
  while (!condition()) {
    if (performance.now() > endMs) throw new Error(`not within ${LIMIT_MS} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

const directory = new RecordingDirectory();
/** Everything above level debug, and what was not understood. */
const logged: string[] = [];
const notUnderstood: string[] = [];
const asked: string[] = [];
let gateway: Gateway;
/** Hears what the gateway asks. */
let witness: HandMadeHost;
let hosts: HandMadeHost[] = [];

const service = (name: string) =>
  [...directory.services.values()].find(({ properties }) => properties.get("name")?.[0] === name)?.properties;
const shows = (name: string) => () => service(name) !== undefined;
const host = async (source: string = LO) => {
  const opened = await HandMadeHost.open({ address: LO, source });
  hosts.push(opened);
  return opened;
};
const named = (label: string, more: { host?: string; address?: string; txt?: string[] } = {}) => ({
  label,
  type: "_x._tcp",
  host: `${label}-host`,
  address: "127.0.0.2",
  ...more,
});
const announce = (from: HandMadeHost, label: string) => {
  const { ptr, srv, txt, a } = recordsOf(named(label));
  return from.respond([ptr, srv, txt, a]);
};

packets.before(async () => {
  const note = (text: () => string) => void logged.push(text());
  gateway = mdnsGateway(
    { types: ["_x._tcp"], interfaces: ["lo"] },
    {
      directory,
      clock: { monotonicMs: () => performance.now(), unixSeconds: () => Date.now() / 1000 },
      timers: {
        after(_name, delayMs, fire) {
          const timer = setTimeout(fire, delayMs);
          return { cancel: () => clearTimeout(timer) };
        },
      },
      random: Math.random,
      log: { debug: (text) => void notUnderstood.push(text()), info: note, warning: note, error: note },
    },
  );
  witness = await HandMadeHost.open({ address: LO });
  witness.onQuery = ({ questions = [] }) => asked.push(...questions.map(({ type, name }) => `${type} ${name}`));
  gateway.start();
  await until("the first question", () => asked.includes("PTR _x._tcp.local"));
});
packets.after.each(() => {
  for (const opened of hosts) opened.close();
  hosts = [];
});
packets.after(async () => {
  witness.close();
  await gateway.stop();
});

packets("a response with everything but the pointer in the additional section", async () => {
  const { ptr, srv, txt, a } = recordsOf(named("additional"));
  await (await host()).respond([ptr], [srv, txt, a]);
  await until("it is shown", shows("additional"));
});

packets("a responder that says no more than it is asked for: each record is asked for, a denied one once", async () => {
  const responder = await host();
  new HandMadeResponder(responder, [named("taciturn", { host: "taciturn-host" })]);
  await responder.respond([recordsOf(named("taciturn")).ptr]);
  await until("it is shown", shows("taciturn"));
  await until("IPv6 has been asked for", () => asked.includes("AAAA taciturn-host.local"));
  assert.is(asked.filter((line) => line === "AAAA taciturn-host.local").length <= 2, true, "once over each family");
});

packets("fifty hosts that answer at the same moment", async () => {
  const all = await Promise.all(Array.from({ length: 50 }, (_, i) => host(`127.0.1.${i + 1}`)));
  await Promise.all(all.map((each, i) => announce(each, `simultaneous ${i}`)));
  for (let i = 0; i < 50; i++) await until(`${i} is shown`, shows(`simultaneous ${i}`));
});

packets("a set in two packets, each with the flush bit: both addresses stay", async () => {
  const { ptr, srv, txt, a } = recordsOf(named("race"));
  const sender = await host();
  await sender.respond([ptr, srv, txt, a]);
  await sender.respond([{ ...a, data: "127.0.0.3" }]);
  await until("both are shown", () => service("race")?.get("addr")?.length === 2);
  await new Promise((resolve) => setTimeout(resolve, 1500)); // a flush takes effect after a second
  assert.equal(service("race")?.get("addr"), ["127.0.0.2", "127.0.0.3"]);
});

packets("lives of 0 and of 2^32-1 seconds in one packet, of one instance", async () => {
  const { ptr, srv, txt, a } = recordsOf(named("liar"));
  const sender = await host();
  const long = { ttl: 4294967295 };
  await sender.respond([{ ...ptr, ...long }, { ...srv, ...long }, txt, { ...a, ...long }]);
  await until("it is shown", shows("liar"));
  await sender.respond([
    { ...ptr, ttl: 0 },
    { ...srv, ...long },
  ]);
  await until("it is gone", () => !shows("liar")());
});

packets("services that a gateway made, and names of bytes that are no text", async () => {
  const sender = await host();
  const { ptr, srv, txt, a } = recordsOf(named("marked", { txt: ["sdid=00000000000000ff", "sdgw=other"] }));
  await sender.respond([ptr, srv, txt, a]);
  await announce(sender, "\\255\\254\\. odd");
  await until("the odd one is shown", shows("\\255\\254\\. odd"));
  assert.not.ok(shows("marked")());
});

const hex = (text: string) => Buffer.from(text.replaceAll(" ", ""), "hex");
const HEADER = "0000 8400 0000 0001 0000 0000";
const HOSTILE: readonly [what: string, packet: Buffer, understood: RegExp][] = [
  ["65535 records of each kind in twelve bytes", hex("000084000000ffffffffffff"), /more records announced/],
  ["a name that points to itself", hex(`${HEADER} c00c 000c 0001 00001194 0002 c00c`), /does not point backwards/],
  ["two names that point to each other", hex(`${HEADER} c00e c00c 000c 0001 00001194 0002 c00c`), /backwards/],
  [
    "a name of more than 255 bytes",
    Buffer.concat([
      hex(HEADER),
      ...Array.from({ length: 5 }, () => Buffer.concat([Buffer.of(63), Buffer.alloc(63, "a")])),
      hex("00 000c 0001 00001194 0002 c00c"),
    ]),
    /more than 255 bytes/,
  ],
  ["a label of 64 bytes", Buffer.concat([hex(HEADER), Buffer.of(64), Buffer.alloc(80, "a")]), /unknown kind of label/],
  ["a record that ends before its data", hex(`${HEADER} 0161 00 0010 0001 00001194 00ff 05`), /./],
  ["more than 9000 bytes", Buffer.alloc(9100), /9100 bytes/],
  ["nothing", Buffer.alloc(0), /./],
];
packets("packets that nobody can mean well are not understood, and harm nothing", async () => {
  const sender = await host("127.0.0.66");
  for (const [what, packet, understood] of HOSTILE) {
    notUnderstood.length = 0;
    await sender.send(packet);
    await until(what, () => notUnderstood.some((line) => understood.test(line)));
  }
  await announce(await host(), "after the hostile ones");
  await until("it is shown", shows("after the hostile ones"));
});

packets("truncated queries, and ones with every bit set, harm nothing", async () => {
  const sender = await host("127.0.0.66");
  for (const flags of ["0200", "7800", "7fff", "0000"]) {
    for (const questions of ["0000", "0001", "00ff"]) {
      await sender.send(hex(`0000 ${flags} ${questions} 0000 0000 0000 025f78 045f746370 056c6f63616c 00 000c 0001`));
    }
  }
  await announce(await host(), "after the queries");
  await until("it is shown", shows("after the queries"));
});

packets("real announcements are seen during a flood of mutated packets, and memory stays bounded", async () => {
  const random = generator(77);
  const flooder = await host("127.0.0.66");
  const real = await host("127.0.0.7");
  const before = process.memoryUsage().rss;
  let isOver = false;
  let sent = 0;
  const flood = (async () => {
    while (!isOver) {
      // Fewer than a socket reads in one turn (32): the others' packets must not be lost before they arrive.
      for (let i = 0; i < 20; i++, sent++) await flooder.send(mutate(CORPUS[random(CORPUS.length)], random));
      await new Promise(setImmediate);
    }
  })();
  for (let i = 0; i < 10; i++) {
    const label = `during the flood ${i}`;
    // As responders do: what is lost on the way is said again.
    for (let times = 0; times < 20 && !shows(label)(); times++) {
      await announce(real, label);
      await new Promise((resolve) => setTimeout(resolve, 150));
    }
  }
  isOver = true;
  await flood;
  for (let i = 0; i < 10; i++) assert.ok(shows(`during the flood ${i}`)(), `${i} of ${sent} packets`);
  assert.ok(sent > 1000, `${sent} packets`);
  const grownMiB = (process.memoryUsage().rss - before) / 2 ** 20;
  assert.ok(grownMiB < 200, `${grownMiB} MiB more`);
});

packets("nothing of all this was an error, and no query had to be cut", () => {
  assert.equal(
    logged.filter(
      (line) => !/browsing on lo|limit allows|sends more packets|changes too often|IPv6: send E/.test(line),
    ),
    [],
  );
});

runInNamespace(packets, "the mDNS gateway on real sockets");
