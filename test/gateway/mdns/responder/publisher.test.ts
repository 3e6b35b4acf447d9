/** Names over all links: renaming, remembering, hosts, conflict rate; on a fake clock, with links that are wired together. */

import { test } from "uvu";
import * as assert from "uvu/assert";
import { SILENT } from "../../../../src/core/log.js";
import { encodeMessage } from "../../../../src/gateway/mdns/link.js";
import type { OutgoingMessage } from "../../../../src/gateway/mdns/messages.js";
import { dnsPacket } from "../../../../src/gateway/mdns/name-codec.js";
import type { DecodedMessage } from "../../../../src/gateway/mdns/records.js";
import { Publisher, type WantedService } from "../../../../src/gateway/mdns/responder/publisher.js";
import { RememberedNames } from "../../../../src/gateway/mdns/responder/remembered-names.js";
import type { Responder } from "../../../../src/gateway/mdns/responder/responder.js";
import { FakeClock } from "../../../support/fake-clock.js";

/** A link that several publishers are on: what one says, the others hear in the next tick of the clock. */
class Ether {
  readonly said: { readonly by: string; readonly atMs: number; readonly message: OutgoingMessage }[] = [];
  private readonly hosts = new Map<string, { readonly address: string; readonly responder: Responder }>();

  constructor(private readonly clock: FakeClock) {}

  join(host: Host, address: string, interfaceName = "eth0"): Responder {
    const name = host.name;
    const responder = host.publisher.add({
      linkName: name,
      interfaceName,
      addresses: () => [address],
      send: (message, to) => {
        this.said.push({ by: name, atMs: this.clock.monotonicMs(), message });
        const packet = encodeMessage(message);
        const from = { address, port: 5353 };
        this.clock.after("ether", 1, () => {
          for (const [other, heard] of this.hosts) {
            if (other === name || (to && to.address !== heard.address)) continue;
            const decoded = dnsPacket.decode(packet) as DecodedMessage;
            if (decoded.type === "query") heard.responder.query(decoded, from);
            else heard.responder.response(decoded);
          }
        });
      },
    });
    this.hosts.set(name, { address, responder });
    return responder;
  }

  /** Somebody who is no publisher says this. */
  say(...answers: NonNullable<OutgoingMessage["answers"]>): void {
    const packet = encodeMessage({ type: "response", answers });
    for (const { responder } of this.hosts.values()) responder.response(dnsPacket.decode(packet) as DecodedMessage);
  }

  /** The last known state of SRV records with a live TTL: `lamp → pf-a`. */
  shown(): string[] {
    const srv = new Map<string, string | undefined>();
    for (const { message } of this.said) {
      for (const { name, type, ttl, data } of message.type === "response" ? (message.answers ?? []) : []) {
        if (type !== "SRV") continue;
        const target = (data as { target: string }).target.replace(".local", "");
        if (ttl > 0) srv.set(name.replace("._x._tcp.local", ""), target);
        else if (srv.get(name.replace("._x._tcp.local", "")) === target) srv.delete(name.replace("._x._tcp.local", ""));
      }
    }
    return [...srv].map(([name, host]) => `${name} → ${host}`).sort();
  }
}

class Host {
  readonly publisher: Publisher;

  constructor(
    readonly name: string,
    clock: FakeClock,
    random: () => number,
    readonly names = new RememberedNames(),
    hostLabel = `pf-${name}`,
  ) {
    this.publisher = new Publisher({
      clock,
      timers: clock,
      random,
      log: SILENT,
      names,
      hostLabel,
      isOwnAddress: () => false,
    });
  }
}

let seed = 1;
const random = () => (seed = (seed * 48271) % 0x7fffffff) / 0x7fffffff;

const wanted = (label: string, sdid: string, more: Partial<WantedService> = {}): WantedService => ({
  sdid,
  label,
  type: "_x._tcp",
  subtypes: [],
  port: 80,
  txt: [Buffer.from(`sdid=${sdid}`)],
  ...more,
});

const foreign = (label: string): NonNullable<OutgoingMessage["answers"]> => [
  {
    name: `${label}._x._tcp.local`,
    type: "SRV",
    ttl: 120,
    flush: true,
    data: { priority: 0, weight: 0, port: 1, target: "foreign.local" },
  },
  { name: `${label}._x._tcp.local`, type: "TXT", ttl: 4500, flush: true, data: [Buffer.from("a=b")] },
];

function two(options: { hostLabel?: string } = {}) {
  const clock = new FakeClock();
  const ether = new Ether(clock);
  const a = new Host("a", clock, random, undefined, options.hostLabel);
  const b = new Host("b", clock, random, undefined, options.hostLabel);
  ether.join(a, "10.0.0.1");
  ether.join(b, "10.0.0.2");
  return { clock, ether, a, b };
}

test("who comes second takes the next name, and remembers it", () => {
  const { clock, ether, a, b } = two();
  a.publisher.put("1", wanted("lamp", "01"));
  clock.advanceMs(10_000);
  b.publisher.put("2", wanted("lamp", "02"));
  clock.advanceMs(10_000);
  assert.equal(ether.shown(), ["lamp (2) → pf-b", "lamp → pf-a"]);
  assert.is(b.names.get("02 _x._tcp", "lamp"), "lamp (2)");
  b.publisher.drop("2");
  a.publisher.drop("1");
  clock.advanceMs(10_000);
  assert.equal(ether.shown(), []);
  b.publisher.put("2", wanted("lamp", "02"));
  clock.advanceMs(10_000);
  assert.equal(ether.shown(), ["lamp (2) → pf-b"]);
});

test("both at once, a hundred times: always one of each name", () => {
  for (let round = 0; round < 100; round++) {
    const { clock, ether, a, b } = two();
    a.publisher.put("1", wanted("lamp", "01", { port: 1 + Math.floor(random() * 9) }));
    clock.advanceMs(random() * 1000);
    b.publisher.put("2", wanted("lamp", "02", { port: 1 + Math.floor(random() * 9) }));
    clock.advanceMs(20_000);
    const shown = ether.shown();
    const names = shown.map((text) => text.split(" →")[0]).sort();
    assert.equal(names, ["lamp", "lamp (2)"], `${shown}`);
    assert.is(new Set(shown.map((text) => text.split("→ ")[1])).size, 2, `${shown}`);
  }
});

test("the same service on both, a hundred times: one is shown, and the other when that one goes", () => {
  for (let round = 0; round < 100; round++) {
    const { clock, ether, a, b } = two();
    a.publisher.put("1", wanted("lamp", "01"));
    clock.advanceMs(random() * 1000);
    b.publisher.put("1", wanted("lamp", "01"));
    clock.advanceMs(20_000);
    const [shown, ...others] = ether.shown();
    assert.equal(others, []);
    const isA = shown === "lamp → pf-a";
    (isA ? a : b).publisher.drop("1");
    clock.advanceMs(20_000);
    assert.equal(ether.shown(), [isA ? "lamp → pf-b" : "lamp → pf-a"]);
  }
});

test("the same proxied service, of which each knows another address, a hundred times: one is shown, and none renamed", () => {
  for (let round = 0; round < 100; round++) {
    const { clock, ether, a, b } = two();
    const put = ({ name, publisher }: Host, address: string) => {
      const host = { name: "d-01.local", addresses: [address] };
      publisher.put("lamp", wanted("lamp", "01", { host, txt: [Buffer.from("sdid=01"), Buffer.from(`sdgw=${name}`)] }));
    };
    put(a, "10.0.0.50");
    clock.advanceMs(random() * 1000);
    put(b, "10.0.0.51");
    clock.advanceMs(20_000);
    put(random() < 0.5 ? a : b, "10.0.0.52");
    clock.advanceMs(200_000);
    assert.equal(ether.shown(), ["lamp → d-01"]);
    assert.equal([a.names.toJson(), b.names.toJson()], Array(2).fill(new RememberedNames().toJson()));
    const published = [a, b].map((host) => host.publisher.counts.published);
    assert.equal(published.sort(), [0, 1]);
    const isA = a.publisher.counts.published === 1;
    (isA ? a : b).publisher.drop("lamp");
    clock.advanceMs(20_000);
    assert.equal(ether.shown(), ["lamp → d-01"]);
    assert.is((isA ? b : a).publisher.counts.published, 1);
  }
});

for (const [where, eth1, isTheirs] of [
  ["also if we are on their link twice", ["10.0.0.2", "10.0.0.1", "fe80::1"], true],
  ["and on another link they go", ["10.1.0.1", "fe80::1"], false],
] as const) {
  test(`pointers to a name that somebody else has are not taken back when ours is renamed; ${where}`, () => {
    const clock = new FakeClock();
    const { publisher } = new Host("a", clock, random);
    const said: OutgoingMessage[][] = [[], []];
    const [eth0] = [["10.0.0.1", "fe80::1"], eth1].map((addresses, i) =>
      publisher.add({
        linkName: `eth${i}`,
        interfaceName: `eth${i}`,
        addresses: () => addresses,
        send: (message) => said[i].push(message),
      }),
    );
    publisher.put("1", wanted("lamp", "01"));
    clock.advanceMs(10_000);
    const packet = encodeMessage({ type: "response", answers: foreign("lamp") });
    const theirs = dnsPacket.decode(packet) as DecodedMessage;
    for (const delayMs of [0, 100]) {
      clock.advanceMs(delayMs);
      eth0.response(theirs);
    }
    clock.advanceMs(10_000);
    const goodbyes = said.map((messages) =>
      messages.flatMap(({ answers = [] }) => answers.filter(({ type, ttl }) => type === "PTR" && ttl === 0)),
    );
    assert.is(publisher.counts.published, 1);
    assert.equal(
      goodbyes.map(({ length }) => length > 0),
      [false, !isTheirs],
    );
  });
}

test("two hosts of one name: one takes another, and its services say so", () => {
  const { clock, ether, a, b } = two({ hostLabel: "pf-x" });
  a.publisher.put("1", wanted("lamp", "01"));
  clock.advanceMs(10_000);
  b.publisher.put("2", wanted("tv", "02"));
  clock.advanceMs(20_000);
  assert.equal(ether.shown(), ["lamp → pf-x", "tv → pf-x-2"]);
  b.publisher.put("3", wanted("radio", "03"));
  clock.advanceMs(20_000);
  assert.equal(ether.shown(), ["lamp → pf-x", "radio → pf-x-2", "tv → pf-x-2"]);
});

test("two services of one name in one directory: the second is numbered at once", () => {
  const clock = new FakeClock();
  const ether = new Ether(clock);
  const a = new Host("a", clock, random);
  ether.join(a, "10.0.0.1");
  a.publisher.put("1", wanted("Lamp", "01"));
  a.publisher.put("2", wanted("lamp", "02"));
  a.publisher.put("3", wanted("lamp", "03", { type: "_y._tcp" }));
  clock.advanceMs(10_000);
  assert.equal(ether.shown(), ["Lamp → pf-a", "lamp (2) → pf-a", "lamp._y._tcp.local → pf-a"]);
});

test("two services of one name in one directory keep their names over a restart, whichever comes first then", () => {
  const names = new RememberedNames();
  const shown = [
    ["01", "02", "03"],
    ["03", "02", "01"],
    ["02", "03", "01"],
  ].map((order) => {
    const clock = new FakeClock();
    const ether = new Ether(clock);
    const a = new Host("a", clock, random, names);
    ether.join(a, "10.0.0.1");
    for (const sdid of order) a.publisher.put(sdid, wanted("lamp", sdid, { port: Number(sdid) }));
    clock.advanceMs(10_000);
    const srv = ether.said.flatMap(({ message }) => (message.answers ?? []).filter(({ type }) => type === "SRV"));
    return [...new Set(srv.map(({ name, data }) => `${name.split(".")[0]} ${(data as { port: number }).port}`))].sort();
  });
  assert.equal(shown, Array(3).fill(["lamp (2) 2", "lamp (3) 3", "lamp 1"]));
});

test("a rename by the user says goodbye to the old name, all of it", () => {
  const clock = new FakeClock();
  const ether = new Ether(clock);
  const a = new Host("a", clock, random);
  ether.join(a, "10.0.0.1");
  a.publisher.put("1", wanted("lamp", "01"));
  clock.advanceMs(10_000);
  a.publisher.put("1", wanted("light", "01"));
  clock.advanceMs(10_000);
  const goodbyes = ether.said.flatMap(({ message }) => (message.answers ?? []).filter(({ ttl }) => ttl === 0));
  assert.equal([...new Set(goodbyes.map(({ type, data }) => (type === "PTR" ? `PTR ${data}` : type)))].sort(), [
    "PTR _x._tcp.local",
    "PTR lamp._x._tcp.local",
    "SRV",
    "TXT",
  ]);
  assert.equal(ether.shown(), ["light → pf-a"]);
});

test("A.3.6: a conflict on one interface renames on all; elsewhere the pointer gets its goodbye, there it is not ours", () => {
  const clock = new FakeClock();
  const [here, there] = [new Ether(clock), new Ether(clock)];
  const a = new Host("a", clock, random);
  here.join(a, "10.0.0.1", "eth0");
  there.join(a, "10.1.0.1", "eth1");
  a.publisher.put("1", wanted("lamp", "01"));
  clock.advanceMs(10_000);
  here.say(...foreign("lamp"));
  clock.advanceMs(100);
  here.say(...foreign("lamp"));
  clock.advanceMs(10_000);
  for (const [ether, hasPointer] of [
    [here, false],
    [there, true],
  ] as const) {
    assert.equal(ether.shown(), ["lamp (2) → pf-a"]);
    const goodbyes = ether.said.flatMap(({ message }) => (message.answers ?? []).filter(({ ttl }) => ttl === 0));
    assert.is(
      goodbyes.some(({ data }) => data === "lamp._x._tcp.local"),
      hasPointer,
    );
    assert.ok(goodbyes.some(({ type, flush }) => type === "SRV" && flush === hasPointer));
  }
});

test("8.1: fifteen conflicts in ten seconds: five seconds before each further attempt", () => {
  const clock = new FakeClock();
  const ether = new Ether(clock);
  const a = new Host("a", clock, random);
  ether.join(a, "10.0.0.1");
  for (const label of ["lamp", "tv", "radio"]) a.publisher.put(label, wanted(label, label));
  const probed = new Map<string, number>();
  for (let i = 0; i < 6000; i++) {
    clock.advanceMs(10);
    const { message, atMs } = ether.said.at(-1) ?? {};
    for (const { name } of message?.type === "query" ? (message.questions ?? []) : []) {
      if (probed.has(name) || name === "pf-a.local") continue;
      probed.set(name, atMs!);
      ether.say(...foreign(name.replace("._x._tcp.local", "")));
    }
  }
  const lamps = [...probed].filter(([name]) => name.startsWith("lamp"));
  const gaps = lamps.slice(1).map(([, ms], i) => ms - lamps[i][1]);
  assert.equal(
    lamps.slice(0, 3).map(([name]) => name.split(".")[0]),
    ["lamp", "lamp (2)", "lamp (3)"],
  );
  assert.ok(
    gaps.slice(5).every((gap) => gap >= 5000),
    `${gaps}`,
  );
  assert.ok(gaps.length >= 12 && gaps.length <= 17, `${gaps.length} attempts in 60 s`);
});

test("stop says goodbye, again 250 ms later, and leaves no timer", async () => {
  const clock = new FakeClock();
  const ether = new Ether(clock);
  const a = new Host("a", clock, random);
  ether.join(a, "10.0.0.1");
  a.publisher.put("1", wanted("lamp", "01"));
  clock.advanceMs(60_000);
  ether.said.length = 0;
  const stopped = a.publisher.stop();
  clock.advanceMs(250);
  await stopped;
  clock.advanceMs(1);
  assert.equal(
    ether.said.map(({ atMs }) => atMs),
    [60_000, 60_250],
  );
  assert.equal(clock.timers(), []);
});

test("a link that comes later gets everything", () => {
  const clock = new FakeClock();
  const ether = new Ether(clock);
  const a = new Host("a", clock, random);
  for (let i = 0; i < 25; i++) a.publisher.put(`${i}`, wanted(`s${i}`, `0${i}`));
  const responder = ether.join(a, "10.0.0.1");
  clock.advanceMs(10_000);
  assert.is(ether.shown().length, 25);
  assert.equal(a.publisher.counts, { published: 25, probing: 0, standby: 0 });
  a.publisher.remove(responder);
  assert.equal(a.publisher.counts, { published: 0, probing: 0, standby: 0 });
});

test.run();
