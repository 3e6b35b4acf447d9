/** The socket of a link, on the loopback interface: which packets are let through. */

import { createSocket, type Socket } from "node:dgram";
import { on, once } from "node:events";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { SILENT } from "../../../src/core/log.js";
import { Echoes } from "../../../src/gateway/mdns/echoes.js";
import { listInterfaces } from "../../../src/gateway/mdns/interfaces.js";
import { encodeMessage, type Link, openLink, type Peer } from "../../../src/gateway/mdns/link.js";
import { dnsPacket } from "../../../src/gateway/mdns/name-codec.js";
import { type DecodedMessage, heardRecords } from "../../../src/gateway/mdns/records.js";
import { SourceRates } from "../../../src/gateway/mdns/source-rates.js";
import { FakeClock } from "../../support/fake-clock.js";

const lo = listInterfaces().find(({ isLoopback }) => isLoopback)!;
const SYSTEM_CLOCK = { monotonicMs: () => performance.now(), unixSeconds: () => Date.now() / 1000 };
const GROUP = "224.0.0.251";

/** A response that names its instance after `label`. */
const response = (label: string) =>
  dnsPacket.encode({
    type: "response",
    answers: [{ name: "_x._tcp.local", type: "PTR", ttl: 120, data: `${label}._x._tcp.local` }],
  });
const OWN = {
  type: "response",
  answers: [{ name: "_x._tcp.local", type: "PTR", ttl: 120, data: "own._x._tcp.local" }],
} as const;
const withFlags = (packet: Buffer, flags: number) => {
  packet.writeUInt16BE(flags, 2);
  return packet;
};

async function sender(port: number): Promise<Socket> {
  const socket = createSocket({ type: "udp4", reuseAddr: true });
  socket.bind(port, port === 0 ? "127.0.0.1" : GROUP);
  await once(socket, "listening");
  socket.setMulticastInterface("127.0.0.1");
  return socket;
}

const isOwnAddress = (address: string) => lo.addresses.some((own) => own.address === address);

class Bench {
  readonly clock = new FakeClock();
  readonly rates = new SourceRates(this.clock, () => {});
  readonly heard: string[] = [];
  readonly queries: { readonly message: DecodedMessage; readonly from: Peer }[] = [];
  readonly sockets: Socket[] = [];
  sent = 0;
  link!: Link;
  private expected: { label: string; resolve: () => void } | undefined;

  async open(isInScope: (source: string) => boolean): Promise<[mdns: Socket, other: Socket]> {
    this.link = openLink({
      family: 4,
      interface: lo,
      isInScope,
      echoes: new Echoes(SYSTEM_CLOCK, isOwnAddress),
      rates: this.rates,
      onMessage: (message, from) => this.hear(message, from),
      onSent: () => this.sent++,
      onBroken: (error) => this.heard.push(String(error)),
      log: SILENT,
    });
    this.sockets.push(await sender(5353), await sender(0));
    return [this.sockets[0], this.sockets[1]];
  }

  /** Sends "last" until it is heard: everything sent before has then been dealt with. */
  async last(from: Socket): Promise<string[]> {
    const arrived = new Promise<void>((resolve) => (this.expected = { label: "last", resolve }));
    const again = setInterval(() => from.send(response("last"), 5353, GROUP), 20);
    const limit = setTimeout(() => this.expected?.resolve(), 5000);
    await arrived;
    clearInterval(again);
    clearTimeout(limit);
    return this.heard;
  }

  async close(): Promise<void> {
    for (const socket of this.sockets) socket.close();
    await this.link.close();
    await this.link.close(); // twice is harmless
  }

  private hear(message: DecodedMessage, from: Peer): void {
    if (message.type === "query") this.queries.push({ message, from });
    for (const { data } of heardRecords(message)) {
      const label = data.type === "PTR" ? data.target.split(".")[0] : data.type;
      if (label === this.expected?.label) this.expected.resolve();
      else this.heard.push(label);
    }
  }
}

test("responses from port 5353 come through; those from other ports, and garbage, do not", async () => {
  const bench = new Bench();
  const [mdns, other] = await bench.open(() => true);
  await bench.last(mdns); // the link is open
  const packets: [Socket, Buffer][] = [
    [other, response("from-another-port")],
    [mdns, withFlags(response("a-query"), 0)],
    [mdns, Buffer.from("garbage")],
    [mdns, Buffer.alloc(60_000, 0xc0)],
    [mdns, withFlags(response("opcode"), 0x8800)],
    [mdns, withFlags(response("rcode"), 0x8003)],
    [mdns, withFlags(response("good"), 0x87b0)], // AA, TC, RD, RA and the rest of the flags mean nothing
  ];
  for (const [socket, packet] of packets) socket.send(packet, 5353, GROUP);
  const heard = [...(await bench.last(mdns))];
  await bench.close();
  assert.equal(heard, ["good"]);
});

test("queries come through with the port they are from, the QU bit, TC and the id", async () => {
  const bench = new Bench();
  const [mdns, other] = await bench.open(() => true);
  await bench.last(mdns);
  const question = { name: "v1\\.0._x._tcp.local", type: "ANY" };
  const port = other.address().port;
  mdns.send(encodeMessage({ type: "query", truncated: true, questions: [{ ...question, qu: true }] }), 5353, GROUP);
  other.send(encodeMessage({ type: "query", id: 77, questions: [question] }), 5353, GROUP);
  await bench.last(mdns);
  await bench.close();
  const shown = bench.queries.map(({ message: { id, flag_tc, questions }, from }) => ({
    id,
    flag_tc,
    questions,
    from,
  }));
  const { address } = shown[0].from;
  assert.equal(shown, [
    { id: 0, flag_tc: true, questions: [{ ...question, class: "IN", qu: true }], from: { address, port: 5353 } },
    { id: 77, flag_tc: false, questions: [{ ...question, class: "IN" }], from: { address, port } },
  ]);
});

test("what the link sends does not come back to it, and goes out although it is closed at once", async () => {
  const bench = new Bench();
  const [mdns] = await bench.open(() => true);
  await bench.last(mdns);
  mdns.addMembership(GROUP, "127.0.0.1");
  const arrival = async (packet: Buffer) => {
    for await (const [heard] of on(mdns, "message")) if (packet.equals(heard)) return;
  };
  const first = arrival(encodeMessage({ ...OWN, id: 1 }));
  bench.link.send({ ...OWN, id: 1 });
  await first;
  assert.equal(await bench.last(mdns), []);
  const second = arrival(encodeMessage({ ...OWN, id: 2 }));
  bench.link.send({ ...OWN, id: 2 });
  await bench.link.close();
  await second;
  assert.is(bench.sent, 2);
  await bench.close();
});

test("a peer that asked from port 0 cannot be answered, and ends nothing", async () => {
  const bench = new Bench();
  const [mdns] = await bench.open(() => true);
  await bench.last(mdns); // the link is open
  bench.link.send(OWN, { address: "127.0.0.1", port: 0 });
  mdns.send(response("still-heard"), 5353, GROUP);
  assert.equal(await bench.last(mdns), ["still-heard"]);
  await bench.close();
});

test("an open link has no timer: it wakes nobody while the network is silent", async () => {
  const active = process as unknown as { getActiveResourcesInfo(): string[] }; // not among the types of Node.js 18
  const timers = () => active.getActiveResourcesInfo().filter((kind) => kind === "Timeout").length;
  const before = timers();
  const bench = new Bench();
  const [mdns] = await bench.open(() => true);
  await bench.last(mdns);
  const open = timers();
  await bench.close();
  assert.is(open, before);
});

test("packets from outside of the link's scope do not come through", async () => {
  const bench = new Bench();
  const sources: string[] = [];
  let isOpen = true;
  const [mdns] = await bench.open((source) => {
    sources.push(source);
    return isOpen;
  });
  await bench.last(mdns);
  isOpen = false;
  const before = sources.length;
  mdns.send(response("out-of-scope"), 5353, GROUP);
  for (let i = 0; i < 100 && sources.length === before; i++) await new Promise((resolve) => setTimeout(resolve, 20));
  await bench.close();
  assert.ok(sources.length > before, "it arrived");
  assert.equal([bench.heard, sources[0]], [[], "127.0.0.1"]);
});

test("packets of a host that sends too many do not come through, until it was silent", async () => {
  const bench = new Bench();
  const [mdns] = await bench.open(() => true);
  await bench.last(mdns);
  while (bench.rates.take("127.0.0.1"));
  const before = bench.rates.refused;
  mdns.send(response("too-much"), 5353, GROUP);
  for (let i = 0; i < 250 && bench.rates.refused === before; i++) await new Promise((go) => setTimeout(go, 20));
  assert.is(bench.rates.refused, before + 1, "it arrived");
  bench.clock.advanceMs(4000);
  assert.equal(await bench.last(mdns), []);
  await bench.close();
});

test("a link that cannot be opened says so, instead of throwing", async () => {
  const errors: Error[] = [];
  const nowhere = { ...lo, addresses: [{ family: 4 as const, address: "203.0.113.77", prefixLength: 24 }] };
  let tell: () => void = () => {};
  const told = new Promise<void>((resolve) => (tell = resolve));
  const onBroken = (error: Error) => {
    errors.push(error);
    tell();
  };
  const link = openLink({
    family: 4,
    interface: nowhere,
    isInScope: () => true,
    echoes: new Echoes(SYSTEM_CLOCK, isOwnAddress),
    rates: new SourceRates(SYSTEM_CLOCK, () => {}),
    onMessage() {},
    onSent: () => {},
    onBroken,
    log: SILENT,
  });
  await told;
  await link.close();
  assert.ok(errors.length > 0);
});

test("records of other classes and of no interest are left out, whatever the section", () => {
  const message = dnsPacket.decode(
    dnsPacket.encode({
      type: "response",
      answers: [
        { name: "h.local", type: "A", class: "CH", ttl: 1, data: "10.0.0.1" },
        { name: "h.local", type: "HINFO", ttl: 1, data: { cpu: "a", os: "b" } },
      ],
      authorities: [{ name: "h.local", type: "A", ttl: 1, data: "10.0.0.2" }],
      additionals: [{ name: "h.local", type: "AAAA", ttl: 2, flush: true, data: "fd00::1" }],
    }),
  );
  assert.equal(heardRecords(message as DecodedMessage), [
    { name: "h.local", ttlSeconds: 1, flush: false, data: { type: "A", address: "10.0.0.2" } },
    { name: "h.local", ttlSeconds: 2, flush: true, data: { type: "AAAA", address: "fd00::1" } },
  ]);
});

test.run();
