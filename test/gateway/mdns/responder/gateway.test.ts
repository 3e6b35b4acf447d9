/** The outbound half within the gateway, with made-up interfaces and links on a fake clock. */

import { test } from "uvu";
import * as assert from "uvu/assert";
import type { Match } from "../../../../src/core/directory-access.js";
import { SILENT } from "../../../../src/core/log.js";
import { properties } from "../../../../src/core/properties.js";
import type { Gateway } from "../../../../src/gateway/gateway.js";
import { type MdnsGatewayOptions, MdnsOptionError, mdnsGateway } from "../../../../src/gateway/mdns/gateway.js";
import type { NetworkInterface } from "../../../../src/gateway/mdns/interfaces.js";
import { encodeMessage, type LinkOptions } from "../../../../src/gateway/mdns/link.js";
import type { OutgoingMessage } from "../../../../src/gateway/mdns/messages.js";
import { dnsPacket } from "../../../../src/gateway/mdns/name-codec.js";
import type { DecodedMessage } from "../../../../src/gateway/mdns/records.js";
import { FakeClock } from "../../../support/fake-clock.js";
import { RecordingDirectory } from "../../recording-directory.js";

const v4 = (address: string) => ({ family: 4 as const, address, prefixLength: 24 });
const v6 = (address: string) => ({ family: 6 as const, address, prefixLength: 64 });
const ETH0: NetworkInterface = {
  name: "eth0",
  index: 2,
  isLoopback: false,
  carrierChanges: 2,
  addresses: [v4("10.0.0.1"), v6("fe80::1")],
};
const ETH1: NetworkInterface = { name: "eth1", index: 3, isLoopback: false, addresses: [v4("10.1.0.1")] };

class Bench {
  readonly clock = new FakeClock();
  readonly gateway: Gateway;
  readonly links = new Map<string, LinkOptions>();
  /** `eth0/4 probe`, `eth0/4 announce`, `eth0/4 goodbye`. */
  readonly log: string[] = [];
  readonly messages: OutgoingMessage[] = [];
  isSubscribed = false;
  private onMatch: (match: Match) => void = () => {};

  constructor(
    public interfaces = [ETH0],
    options: Partial<MdnsGatewayOptions> = {},
  ) {
    const { clock } = this;
    const directory = Object.assign(new RecordingDirectory(), {
      subscribe: (_filter: string | undefined, onMatch: (match: Match) => void) => {
        this.isSubscribed = true;
        this.onMatch = onMatch;
        return { cancel: () => void (this.isSubscribed = false) };
      },
    });
    this.gateway = mdnsGateway(
      { types: ["_none._tcp"], gatewayName: "gw", publish: [{ filter: "(name=*)", type: "_x._tcp" }], ...options },
      { directory, clock, timers: clock, random: () => 0.5, log: SILENT },
      {
        listInterfaces: () => this.interfaces,
        uptimeSeconds: () => clock.unixSeconds(),
        openLink: (link) => {
          const key = `${link.interface.name}/${link.family}`;
          this.links.set(key, link);
          return {
            send: (message) => this.note(key, message),
            close: async () => void (this.links.get(key) === link && this.links.delete(key)),
          };
        },
      },
    );
    this.gateway.start();
  }

  show(id: bigint, name: string, more: Parameters<typeof properties>[0] = {}): void {
    const service = {
      id,
      generation: 1n,
      ttlSeconds: 60n,
      owner: 1n,
      properties: properties({ name, port: 80, ...more }),
    };
    this.onMatch({ type: "appeared", service });
  }

  hear(link: string, message: OutgoingMessage): void {
    this.links
      .get(link)!
      .onMessage(dnsPacket.decode(encodeMessage(message)) as DecodedMessage, { address: "10.0.0.2", port: 5353 });
  }

  during(ms: number): string[] {
    this.clock.advanceMs(ms);
    return this.log.splice(0);
  }

  /** Data of all address records sent on this link. */
  addresses(): unknown[] {
    const records = this.messages.flatMap(({ answers = [], additionals = [] }) => [...answers, ...additionals]);
    return [...new Set(records.filter(({ type }) => type === "A" || type === "AAAA").map(({ data }) => data))];
  }

  private note(link: string, message: OutgoingMessage): void {
    const { type, answers = [], authorities = [] } = message;
    if (type === "query" && authorities.length === 0) return; // the browser's
    this.messages.push(message);
    const isGoodbye = answers.some(({ ttl }) => ttl === 0);
    this.log.push(`${link} ${type === "query" ? "probe" : isGoodbye ? "goodbye" : "announce"}`);
  }
}

const times = (number: number, ...what: string[]) => Array.from({ length: number }, () => what).flat();

test("a service is published on every interface by both families, with the addresses of each interface", () => {
  const bench = new Bench([ETH0, ETH1]);
  bench.show(1n, "lamp");
  const log = bench.during(60_000).sort();
  assert.equal(
    log,
    ["eth0/4", "eth0/6", "eth1/4"].flatMap((link) => times(3, `${link} announce`).concat(times(3, `${link} probe`))),
  );
  const { state, counts, dropped } = bench.gateway.state();
  assert.equal([state, counts.published, counts.interfaces, dropped], ["running", 1, 2, {}]);
  bench.messages.length = 0;
  bench.hear("eth1/4", { type: "query", questions: [{ name: "pf-gw.local", type: "A" }] });
  assert.equal(bench.during(0), ["eth1/4 announce"]);
  assert.equal(bench.addresses(), ["10.1.0.1"]);
});

test("A.3.10: a link that was away between two looks is probed and announced again", () => {
  const bench = new Bench();
  bench.show(1n, "lamp");
  bench.during(60_000);
  bench.interfaces = [{ ...ETH0, carrierChanges: 4 }];
  const log = bench.during(60_000).sort();
  assert.equal(
    log,
    ["eth0/4", "eth0/6"].flatMap((link) => times(3, `${link} announce`).concat(times(3, `${link} probe`))),
  );
  assert.equal(bench.during(60_000), []);
});

const RENUMBERED: readonly [what: string, before: NetworkInterface, after: NetworkInterface["addresses"]][] = [
  ["IPv4: one more", ETH1, [v4("10.1.0.1"), v4("10.1.0.7")]],
  ["IPv4: another instead", ETH1, [v4("10.1.0.7")]],
  ["IPv6: one more, listed first", ETH0, [v4("10.0.0.1"), v6("fd00::7"), v6("fe80::1")]],
  ["IPv6: another instead", ETH0, [v4("10.0.0.1"), v6("fe80::2")]],
  ["both others", ETH0, [v4("10.0.0.9"), v6("fe80::2")]],
];
for (const [what, before, after] of RENUMBERED) {
  test(`8.4, 10.2: other addresses (${what}): announced, those that are gone taken back, and nothing else happens`, () => {
    const bench = new Bench([before]);
    bench.show(1n, "lamp");
    bench.during(60_000);
    bench.messages.length = 0;
    bench.interfaces = [{ ...before, addresses: after }];
    const log = bench.during(60_000);
    assert.equal([...new Set(log.map((line) => line.split(" ")[1]))].includes("probe"), false, `${log}`);
    const said = bench.messages.flatMap(({ answers = [] }) => answers);
    assert.equal(new Set(said.map(({ name }) => name)), new Set(["pf-gw.local"]));
    const of = (addresses: NetworkInterface["addresses"]) => addresses.map(({ address }) => address);
    const gone = of(before.addresses).filter((address) => !of(after).includes(address));
    const data = (isGone: boolean) =>
      [...new Set(said.filter(({ ttl }) => (ttl === 0) === isGone).map((record) => record.data as string))].sort();
    assert.equal(data(true), gone.sort());
    assert.equal(data(false), of(after).sort());
    bench.messages.length = 0;
    bench.hear(`${before.name}/4`, { type: "query", questions: [{ name: "lamp._x._tcp.local", type: "SRV" }] });
    bench.during(0);
    assert.equal(bench.addresses().sort(), of(after).sort());
  });
}

test("IPv4 sends from the address that its socket was told: when that is gone, another socket takes its place", () => {
  const bench = new Bench([ETH0]);
  const before = bench.links.get("eth0/4");
  bench.interfaces = [{ ...ETH0, addresses: [...ETH0.addresses, v4("10.0.0.9")] }];
  bench.during(6000);
  assert.is(bench.links.get("eth0/4"), before);
  bench.interfaces = [{ ...ETH0, addresses: [v4("10.0.0.9"), ETH0.addresses[1]] }];
  bench.during(6000);
  const { addresses } = bench.links.get("eth0/4")!.interface;
  assert.is(addresses[0].address, "10.0.0.9");
});

test("a family that has no address left goes without a word: by the other one all is as it was", () => {
  const bench = new Bench([ETH0]);
  bench.show(1n, "lamp");
  bench.during(60_000);
  bench.interfaces = [{ ...ETH0, addresses: [ETH0.addresses[1]] }];
  bench.messages.length = 0;
  bench.during(60_000);
  assert.equal([...bench.links.keys()], ["eth0/6"]);
  const said = bench.messages.flatMap(({ answers = [] }) => answers);
  assert.equal(
    new Set(said.map(({ type, name }) => `${type} ${name}`)),
    new Set(["A pf-gw.local", "AAAA pf-gw.local"]),
  );
});

test("A.3.10: an interface that comes is probed there alone, and the others go on answering", () => {
  const bench = new Bench([ETH0]);
  bench.show(1n, "lamp");
  bench.during(60_000);
  bench.interfaces = [ETH0, ETH1];
  bench.during(5000);
  bench.hear("eth0/4", { type: "query", questions: [{ name: "lamp._x._tcp.local", type: "SRV" }] });
  const log = bench.during(60_000);
  assert.is(log.filter((line) => line.startsWith("eth0")).join(), "eth0/4 announce", "the answer");
  assert.is(log.filter((line) => line === "eth1/4 announce").length, 3);
});

test("8: after the machine slept all is probed and announced again; whatever comes in is enough to notice", () => {
  const bench = new Bench([ETH1]);
  bench.show(1n, "lamp");
  bench.during(60_000);
  bench.clock.sleepMs(60_000);
  bench.clock.passMs(1000);
  bench.hear("eth1/4", { type: "query", questions: [{ name: "other.local", type: "A" }] });
  assert.equal(bench.during(10_000), times(3, "eth1/4 probe").concat(times(3, "eth1/4 announce")));
});

test("10.2: two interfaces in one subnet show the addresses of both, and one that goes is taken back on the other", () => {
  const beside = { ...ETH1, addresses: [v4("10.0.0.7"), v6("fd00::7"), v6("fe80::7")] };
  const bench = new Bench([ETH0, beside]);
  bench.show(1n, "lamp");
  bench.during(60_000);
  const shown = (link: string) => {
    bench.messages.length = 0;
    bench.hear(link, { type: "query", questions: [{ name: "pf-gw.local", type: "A" }] });
    bench.during(10);
    return bench.addresses().sort();
  };
  assert.equal(shown("eth0/4"), ["10.0.0.1", "10.0.0.7", "fe80::1"]);
  assert.equal(shown("eth1/4"), ["10.0.0.1", "10.0.0.7", "fd00::7", "fe80::7"]);
  bench.messages.length = 0;
  bench.interfaces = [ETH0];
  bench.during(10_000);
  const goodbyes = bench.messages.flatMap(({ answers = [] }) => answers).filter(({ ttl }) => ttl === 0);
  assert.equal([...new Set(goodbyes.map(({ data, flush }) => `${data} ${flush}`))], ["10.0.0.7 false"]);
  assert.equal(shown("eth0/4"), ["10.0.0.1", "fe80::1"]);
});

test("an interface that is deleted and created anew is served again", () => {
  const bench = new Bench([ETH1]);
  bench.show(1n, "lamp");
  bench.during(60_000);
  bench.interfaces = [];
  bench.during(6000);
  assert.equal(bench.gateway.state().state, "waiting");
  bench.interfaces = [{ ...ETH1, index: 9 }];
  assert.equal(bench.during(60_000).sort(), times(3, "eth1/4 announce").concat(times(3, "eth1/4 probe")));
});

test("a link that broke is served again when it is open again", () => {
  const bench = new Bench([ETH1]);
  bench.show(1n, "lamp");
  bench.during(60_000);
  bench.links.get("eth1/4")!.onBroken(new Error("send ENODEV"));
  assert.match(bench.gateway.state().lastError!.text, /eth1 \(number 3\), IPv4: send ENODEV/);
  assert.equal(bench.during(60_000).sort(), times(3, "eth1/4 announce").concat(times(3, "eth1/4 probe")));
});

test("a family that broke and is open again is probed anew, and the other one is not", () => {
  const bench = new Bench();
  bench.show(1n, "lamp");
  bench.during(60_000);
  bench.links.get("eth0/6")!.onBroken(new Error("send ENETUNREACH"));
  assert.equal(bench.during(60_000).sort(), times(3, "eth0/6 announce").concat(times(3, "eth0/6 probe")));
});

test("our own address, heard on the other interface, is no conflict; a foreign one is", () => {
  const bench = new Bench([ETH0, ETH1]);
  bench.show(1n, "lamp");
  bench.during(60_000);
  const say = (address: string) =>
    bench.hear("eth0/4", {
      type: "response",
      answers: [{ name: "pf-gw.local", type: "A", ttl: 120, flush: true, data: address }],
    });
  say("10.1.0.1");
  assert.equal(bench.during(5000), []);
  say("10.0.0.9");
  assert.ok(bench.during(5000).includes("eth0/4 probe"));
});

test("stop: goodbyes on all links, before they are closed; no timer is left", async () => {
  const bench = new Bench([ETH0, ETH1]);
  bench.show(1n, "lamp");
  bench.during(60_000);
  const stopped = bench.gateway.stop();
  assert.equal([bench.isSubscribed, bench.links.size], [false, 3]);
  assert.equal(bench.during(250).sort(), ["eth0/4 goodbye", "eth0/6 goodbye", "eth1/4 goodbye"]);
  await stopped;
  assert.equal(bench.during(60_000).sort(), ["eth0/4 goodbye", "eth0/6 goodbye", "eth1/4 goodbye"]);
  assert.equal([bench.links.size, bench.clock.timers(), bench.gateway.state().state], [0, [], "stopped"]);
});

test("without rules nothing is subscribed to, and nobody is answered", () => {
  const bench = new Bench([ETH0], { publish: undefined });
  bench.hear("eth0/4", { type: "query", questions: [{ name: "_services._dns-sd._udp.local", type: "PTR" }] });
  assert.equal([bench.isSubscribed, bench.during(60_000)], [false, []]);
  assert.is(bench.gateway.state().counts.published, undefined);
});

test("what is not published is counted in the gateway's state", () => {
  const bench = new Bench([ETH0], { maxPublished: 1 });
  bench.show(1n, "lamp", { src: "mdns:local" });
  bench.show(2n, "tv");
  bench.show(3n, "radio");
  bench.during(60_000);
  const { counts, dropped } = bench.gateway.state();
  assert.equal([counts.published, counts.waitingForRoom], [1, 1]);
  assert.equal(dropped, { "comes from this link": 1, "more services than max_published": 1 });
});

const BAD_OPTIONS: readonly [options: Partial<MdnsGatewayOptions>, message: RegExp][] = [
  [{ publish: [{ filter: "" }, { filter: "", txt: { "a=b": "" } }] }, /^publish\[1\]\.txt\.a=b: not a TXT key/],
  [{ publish: [{ filter: "", port: "$" + "{" }] }, /^publish\[0\]\.port: template/],
  [{ maxPublished: 0 }, /^maxPublished: 0 is not a number above 0/],
];
for (const [options, message] of BAD_OPTIONS) {
  test(`the options ${JSON.stringify(options)} are refused`, () => {
    assert.throws(
      () => new Bench([], options),
      (error: Error) => error instanceof MdnsOptionError && message.test(error.message),
    );
  });
}

test.run();
