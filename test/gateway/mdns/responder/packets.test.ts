/**
 * What the gateway publishes, on real sockets in a network namespace of its own: a hand-made querier that asks what
 * ordinary ones do not. Exact times are in responder.test.ts, on a fake clock.
 */

import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { Match } from "../../../../src/core/directory-access.js";
import { properties } from "../../../../src/core/properties.js";
import type { Gateway } from "../../../../src/gateway/gateway.js";
import { mdnsGateway } from "../../../../src/gateway/mdns/gateway.js";
import { encodeMessage } from "../../../../src/gateway/mdns/link.js";
import type { OutgoingMessage } from "../../../../src/gateway/mdns/messages.js";
import { dnsPacket } from "../../../../src/gateway/mdns/name-codec.js";
import type { DecodedMessage, DecodedRecord } from "../../../../src/gateway/mdns/records.js";
import { runInNamespace } from "../../../support/inside-namespace.js";
import { RecordingDirectory } from "../../recording-directory.js";

const LO = "127.0.0.1";
const GROUP = "224.0.0.251";
const TYPE = "_http._tcp.local";
const LAMP = `v1\\.0 \\\\ Küche ☕.${TYPE}`;
const HOST = "d-0000000000000001.local";
const LIMIT_MS = 10_000;
const packets = suite("packets outbound");

/** A socket that notes what it hears, with the source. */
class Ear {
  readonly heard: { readonly message: DecodedMessage; readonly port: number; readonly bytes: number }[] = [];
  private constructor(readonly socket: Socket) {
    socket.on("message", (packet, { port }) => {
      try {
        this.heard.push({ message: dnsPacket.decode(packet) as DecodedMessage, port, bytes: packet.length });
      } catch {
        // one of the hostile packets below
      }
    });
  }

  static async open(port: number, bind: string): Promise<Ear> {
    const socket = createSocket({ type: "udp4", reuseAddr: true });
    socket.bind(port, bind);
    await once(socket, "listening");
    if (bind === GROUP) socket.addMembership(GROUP, LO);
    socket.setMulticastInterface(LO);
    return new Ear(socket);
  }

  ask(message: Partial<OutgoingMessage>): void {
    this.socket.send(encodeMessage({ type: "query", ...message }), 5353, GROUP);
  }

  /** The first message from now on that fits. */
  async next(what: string, fits: (message: DecodedMessage) => boolean): Promise<DecodedMessage> {
    const endMs = performance.now() + LIMIT_MS;
    for (let i = this.heard.length; ; ) {
      for (; i < this.heard.length; i++) if (fits(this.heard[i].message)) return this.heard[i].message;
      if (performance.now() > endMs)
        throw new Error(`not within ${LIMIT_MS} ms: ${what}; ${JSON.stringify(this.heard.slice(-3))}`);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }
}

const answersOf = (message: DecodedMessage, name: string, type: string): DecodedRecord[] =>
  (message.type === "response" ? (message.answers ?? []) : []).filter((one) => one.name === name && one.type === type);
const answers = (name: string, type: string) => (message: DecodedMessage) => answersOf(message, name, type).length > 0;

let gateway: Gateway;
let onMatch: (match: Match) => void = () => {};
/** Hears all multicast; sends from port 5353. */
let group: Ear;
/** Hears what is sent to it alone, at port 5353. */
let unicast: Ear;
let legacy: Ear;

packets.before(async () => {
  group = await Ear.open(5353, GROUP);
  unicast = await Ear.open(5353, LO);
  legacy = await Ear.open(0, LO);
  const directory = Object.assign(new RecordingDirectory(), {
    subscribe: (_filter: string | undefined, subscriber: typeof onMatch) => {
      onMatch = subscriber;
      return { cancel() {} };
    },
  });
  const silent = () => {};
  gateway = mdnsGateway(
    { types: ["_none._tcp"], interfaces: ["lo"], gatewayName: "gw", publish: [{ filter: "(name=*)" }] },
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
      log: { debug: silent, info: silent, warning: silent, error: (text) => assert.unreachable(text()) },
    },
  );
  gateway.start();
});

const show = (id: bigint, shown: Parameters<typeof properties>[0]) => {
  const service = { id, generation: 1n, ttlSeconds: 60n, owner: 1n, properties: properties(shown) };
  onMatch({ type: "appeared", service });
};

packets("it probes with what it will announce, then announces", async () => {
  const probed = group.next("a probe", ({ questions = [] }) =>
    questions.some(({ name, type }) => name === LAMP && type === "ANY"),
  );
  const announced = group.next("an announcement", answers(LAMP, "SRV"));
  show(1n, {
    name: "v1.0 \\ Küche ☕",
    port: 81,
    "mdns.type": "_http._tcp",
    "mdns.sub": ["_s"],
    "txt.a": "1",
    addr: ["10.9.9.9"],
  });
  const { authorities = [], questions = [] } = await probed;
  assert.equal(
    authorities.map(({ type, flush }) => `${type} ${flush}`),
    ["A false", "SRV false", "TXT false"],
  );
  assert.ok(questions.every(({ qu }) => !qu));
  const whole = await announced;
  const shown = (whole.answers ?? []).map(({ type, ttl, flush }) => `${type} ${ttl} ${flush}`);
  assert.equal(shown.sort(), [
    "A 120 true",
    "PTR 4500 false",
    "PTR 4500 false",
    "PTR 4500 false",
    "SRV 120 true",
    "TXT 4500 true",
  ]);
});

packets("a legacy resolver gets its id, its question, short lives and no flush bits", async () => {
  const came = legacy.next("the answer", () => true);
  legacy.ask({ id: 4711, questions: [{ name: LAMP, type: "SRV" }] });
  const { id, questions, answers: given = [], additionals } = await came;
  assert.equal([id, questions], [4711, [{ name: LAMP, type: "SRV", class: "IN" }]]);
  assert.equal(
    given.map(({ name, type, ttl, flush }) => [name, type, ttl, flush]),
    [[LAMP, "SRV", 10, false]],
  );
  assert.equal(additionals, []);
});

packets("QU is answered to the asker alone, from port 5353", async () => {
  const came = unicast.next("the answer", answers(LAMP, "TXT"));
  unicast.ask({ questions: [{ name: LAMP, type: "TXT", qu: true }] });
  await came;
  assert.ok(unicast.heard.every(({ port }) => port === 5353));
});

packets("known answers in several packets are honoured; without them all is told", async () => {
  const announcements = () => group.heard.filter(({ message }) => answers(TYPE, "PTR")(message)).length;
  while (announcements() < 3) await group.next("the last announcement", answers(TYPE, "PTR"));
  const known = { name: TYPE, type: "PTR", ttl: 4500, data: LAMP };
  // From a source of its own: what others ask at the same time is theirs.
  unicast.ask({ truncated: true, questions: [{ name: TYPE, type: "PTR" }] });
  unicast.ask({ answers: [known] });
  const before = group.heard.length;
  const probe = group.next("an answer to somebody else", answers(HOST, "NSEC"));
  await new Promise((resolve) => setTimeout(resolve, 600)); // nothing may come in this time
  unicast.ask({ questions: [{ name: HOST, type: "AAAA" }] });
  await probe;
  assert.equal(
    group.heard.slice(before).filter(({ message }) => answers(TYPE, "PTR")(message)),
    [],
  );
  const told = group.next("the pointer", answers(TYPE, "PTR"));
  unicast.ask({ truncated: true, questions: [{ name: TYPE, type: "PTR" }] });
  const { additionals = [] } = await told;
  assert.equal(additionals.map(({ type }) => type).sort(), ["A", "NSEC", "SRV", "TXT"]);
});

packets("a probe for our name is answered at once; the name stays ours", async () => {
  const data = { priority: 0, weight: 0, port: 1, target: "other.local" };
  const defended = group.next("the defence", answers(LAMP, "SRV"));
  const srv = { name: LAMP, type: "SRV", ttl: 120, data };
  unicast.ask({ questions: [{ name: LAMP, type: "ANY" }], authorities: [srv] });
  assert.equal((answersOf(await defended, LAMP, "SRV")[0].data as typeof data).port, 81);
});

packets(
  "a simultaneous probe that is later in order wins: we wait for a second; its answer makes us rename",
  async () => {
    const name = `Twin.${TYPE}`;
    const isProbe = (of: string) => (message: DecodedMessage) =>
      message.type === "query" && (message.questions ?? []).some((question) => question.name === of);
    const first = group.next("the first probe", isProbe(name));
    show(2n, { name: "Twin", port: 82, "mdns.type": "_http._tcp" });
    await first;
    const data = { priority: 0, weight: 0, port: 65_535, target: "other.local" };
    const theirs = { name, type: "TXT", ttl: 120, data: [Buffer.from("zzz"), Buffer.alloc(200, 0x7a)] };
    const lostMs = performance.now();
    const strong = [
      { ...theirs, data: [Buffer.alloc(255, 0x7a)] },
      { name, type: "SRV", ttl: 120, data },
    ];
    unicast.ask({ questions: [{ name, type: "ANY" }], authorities: strong });
    // A probe of ours may have been on its way already; those of the new attempt come a second later.
    let again = performance.now();
    while (again - lostMs < 900) {
      await group.next("the next attempt", isProbe(name));
      again = performance.now();
      assert.ok(again - lostMs < 300 || again - lostMs > 900, `${again - lostMs} ms`);
    }
    const renamed = group.next("the next name", answers(`Twin (2).${TYPE}`, "SRV"));
    const response = encodeMessage({ type: "response", answers: strong.map((record) => ({ ...record, flush: true })) });
    unicast.socket.send(response, 5353, GROUP);
    await renamed;
  },
);

packets("hostile packets do no harm", async () => {
  const loop = Buffer.from(`000000000001000000000000c00c00ff0001`, "hex");
  const looping = Buffer.from(`000084000000000100000000c00c0021800100000078000a000000000050c00c`, "hex");
  for (const packet of [loop, looping, Buffer.alloc(9000, 0xff), Buffer.alloc(3)])
    unicast.socket.send(packet, 5353, GROUP);
  const beganMs = performance.now();
  const many = { questions: Array.from({ length: 60 }, () => ({ name: LAMP, type: "ANY" })) };
  const before = group.heard.length;
  for (let i = 0; i < 200; i++) unicast.ask(many);
  const still = group.next("an answer", answers(HOST, "A"));
  unicast.ask({ questions: [{ name: HOST, type: "A" }] });
  await still;
  const srv = group.heard.slice(before).filter(({ message }) => answers(LAMP, "SRV")(message));
  const seconds = (performance.now() - beganMs) / 1000;
  assert.ok(srv.length <= 1 + seconds, `${srv.length} answers to 12,000 questions in ${seconds} s`);
});

packets("ten services with much to say are announced in packets of at most 1400 bytes", async () => {
  const before = group.heard.length;
  const big = { port: 80, "mdns.type": "_http._tcp", "txt.a": "x".repeat(240) };
  for (let i = 0; i < 10; i++) show(BigInt(100 + i), { name: `S${i}`, ...big });
  const announced = () => {
    const records = group.heard.slice(before).flatMap(({ message }) => message.answers ?? []);
    return new Set(records.filter(({ type, name }) => type === "TXT" && /^S\d/.test(name)).map(({ name }) => name))
      .size;
  };
  while (announced() < 10) await group.next("announcements", () => true);
  const sizes = group.heard.slice(before).map(({ bytes }) => bytes);
  assert.ok(Math.max(...sizes) <= 1400 && sizes.some((bytes) => bytes > 1000), `${sizes}`);
});

packets("it leaves with goodbyes for everything, twice", async () => {
  const before = group.heard.length;
  await gateway.stop();
  const fits = ({ message }: (typeof group.heard)[number]) =>
    answersOf(message, LAMP, "SRV").some(({ ttl }) => ttl === 0);
  while (group.heard.slice(before).filter(fits).length < 2) await group.next("a goodbye", () => true);
  const gone = group.heard
    .slice(before)
    .flatMap(({ message }) => (message.type === "response" ? (message.answers ?? []) : []));
  assert.ok(gone.filter(({ name }) => name === LAMP).every(({ ttl }) => ttl === 0));
  for (const { socket } of [group, unicast, legacy]) socket.close();
});

runInNamespace(packets, "what the mDNS gateway publishes on real sockets");
