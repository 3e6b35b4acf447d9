/** The whole gateway on a fake clock, with made-up interfaces and links: merging, holding, interfaces that come and go. */

import { test } from "uvu";
import * as assert from "uvu/assert";
import { SILENT } from "../../../src/core/log.js";
import type { Gateway } from "../../../src/gateway/gateway.js";
import { type MdnsGatewayOptions, MdnsOptionError, mdnsGateway } from "../../../src/gateway/mdns/gateway.js";
import { linkScope, listInterfaces, type NetworkInterface } from "../../../src/gateway/mdns/interfaces.js";
import type { LinkOptions } from "../../../src/gateway/mdns/link.js";
import type { HeardRecord } from "../../../src/gateway/mdns/records.js";
import { FakeClock } from "../../support/fake-clock.js";
import { RecordingDirectory } from "../recording-directory.js";
import { addressRecord, instance, pointerRecord, responseOf, srvRecord, txtRecord } from "./records.js";

const ETH0: NetworkInterface = {
  name: "eth0",
  index: 2,
  isLoopback: false,
  addresses: [
    { family: 4, address: "10.0.0.1", prefixLength: 24 },
    { family: 6, address: "fe80::1", prefixLength: 64 },
  ],
};
const ETH1: NetworkInterface = {
  name: "eth1",
  index: 3,
  isLoopback: false,
  addresses: [{ family: 4, address: "10.1.0.1", prefixLength: 24 }],
};
const LO: NetworkInterface = {
  name: "lo",
  index: 1,
  isLoopback: true,
  addresses: [{ family: 4, address: "127.0.0.1", prefixLength: 8 }],
};

class Bench {
  readonly clock = new FakeClock();
  readonly gateway: Gateway;
  interfaces: NetworkInterface[];
  /** Open links, by interface, index and family: `eth0#2/4`. */
  readonly links = new Map<string, LinkOptions>();
  queries = 0;
  /** When a query went out, by the key of its link. */
  readonly asked = new Map<string, number[]>();
  /** What the gateway logged above level debug. */
  readonly logged: string[] = [];
  broken: LinkOptions | undefined;
  listError: Error | undefined;

  constructor(
    options: Partial<MdnsGatewayOptions> = {},
    interfaces = [LO, ETH0],
    readonly directory = new RecordingDirectory(),
  ) {
    this.interfaces = interfaces;
    const { clock, logged } = this;
    const write = (text: () => string) => void logged.push(text());
    const log = { ...SILENT, info: write, warning: write, error: write };
    this.gateway = mdnsGateway(
      { types: ["_x._tcp"], ...options },
      { directory, clock, timers: clock, random: () => 0.5, log },
      {
        listInterfaces: () => {
          if (this.listError) throw this.listError;
          return this.interfaces;
        },
        uptimeSeconds: () => clock.unixSeconds(),
        openLink: (link) => {
          const key = `${link.interface.name}#${link.interface.index}/${link.family}`;
          this.links.set(key, link);
          return {
            send: () => {
              this.queries++;
              this.asked.set(key, [...(this.asked.get(key) ?? []), clock.monotonicMs()]);
            },
            close: async () => void (this.links.get(key) === link && this.links.delete(key)),
          };
        },
      },
    );
    this.gateway.start();
  }

  hear(link: string, ...records: HeardRecord[]): void {
    this.links.get(link)!.onMessage(responseOf(records), { address: "10.0.0.2", port: 5353 });
  }

  /** Lets time pass, and the directory answer. What it was told meanwhile, as short lines. */
  async during(ms: number): Promise<string[]> {
    this.directory.calls.length = 0;
    this.clock.advanceMs(ms);
    await new Promise(setImmediate);
    return this.directory.calls;
  }

  shown(name: string): unknown[] {
    const services = [...this.directory.services.values()];
    return services.map(({ properties }) => properties.get(name)).map((values) => values?.join());
  }

  generations(): bigint[] {
    return [...this.directory.services.values()].map(({ generation }) => generation);
  }
}

test("what IPv4 and IPv6 bring of one instance is published once", async () => {
  const bench = new Bench();
  bench.hear("eth0#2/4", ...instance("a"));
  bench.hear("eth0#2/6", ...instance("a"), addressRecord("h", "fd00::2"));
  assert.equal(await bench.during(99), []);
  assert.equal(await bench.during(1), ["publish a"]);
  assert.equal(bench.shown("addr"), ["10.0.0.2,fd00::2"]);
  assert.equal([...bench.directory.services.values()][0].ttlSeconds, 240n);
});

test("the same again is no new generation; a difference is one", async () => {
  const bench = new Bench();
  bench.hear("eth0#2/4", ...instance("a"));
  await bench.during(1000);
  const [first] = bench.generations();
  bench.hear("eth0#2/4", ...instance("a"));
  assert.equal(await bench.during(3000), []);
  bench.hear("eth0#2/4", txtRecord("a", ["v=2"]));
  assert.equal(await bench.during(3000), ["publish a"]);
  assert.ok(bench.generations()[0] > first);
});

test("a host that changes all the time: one update a second, none for a minute after the sixth, then the last state", async () => {
  const bench = new Bench();
  bench.hear("eth0#2/4", ...instance("a"));
  await bench.during(5000);
  const calls: string[] = [];
  for (let i = 1; i <= 300; i++) {
    bench.hear("eth0#2/4", txtRecord("a", [`v=${i}`]));
    calls.push(...(await bench.during(100)));
  }
  assert.is(calls.length, 5, "with the first announcement six");
  assert.is(bench.logged.filter((line) => line.includes("changes too often")).length, 1);
  assert.equal(await bench.during(60_000), ["publish a"]);
  assert.equal(bench.shown("txt.v"), ["300"]);
  assert.equal(await bench.during(20_000), []);
});

test("a host that comes and goes is withdrawn each time, but not shown again more than five times a minute", async () => {
  const bench = new Bench();
  const calls: string[] = [];
  for (let i = 0; i < 12; i++) {
    bench.hear("eth0#2/4", ...instance("a"));
    calls.push(...(await bench.during(1000)));
    bench.hear("eth0#2/4", pointerRecord("a", { ttlSeconds: 0 }));
    calls.push(...(await bench.during(3500)));
  }
  assert.is(calls.filter((call) => call === "publish a").length, 6);
  assert.is(calls.filter((call) => call === "unpublish a").length, 6);
  await bench.during(60_000);
  assert.is(bench.directory.services.size, 0, "what has gone is not shown when the minute is over");
});

test("a goodbye is followed by the withdrawal after 1 s of grace and 1.5 to 2 s of patience", async () => {
  const bench = new Bench();
  bench.hear("eth0#2/4", ...instance("a"));
  await bench.during(10_000);
  bench.hear("eth0#2/4", pointerRecord("a", { ttlSeconds: 0 }));
  assert.equal(await bench.during(2600), []);
  assert.equal(await bench.during(500), ["unpublish a"]);
});

test("an instance that returns within that time was never away", async () => {
  const bench = new Bench();
  bench.hear("eth0#2/4", ...instance("a"));
  await bench.during(10_000);
  const goodbye = { ttlSeconds: 0 };
  bench.hear("eth0#2/4", ...instance("a").map((record) => ({ ...record, ...goodbye })));
  await bench.during(2500);
  bench.hear("eth0#2/4", ...instance("a"));
  assert.equal(await bench.during(10_000), []);
  assert.is(bench.directory.services.size, 1);
});

test("a host that vanishes without goodbye is withdrawn within 125 s", async () => {
  const bench = new Bench();
  bench.hear("eth0#2/4", ...instance("a"));
  await bench.during(100);
  assert.equal(await bench.during(119_900), []);
  assert.equal(await bench.during(5000), ["unpublish a"]);
});

test("two interfaces that show the same are one service with both addresses", async () => {
  const bench = new Bench({}, [ETH0, ETH1]);
  bench.hear("eth0#2/4", ...instance("a"));
  bench.hear("eth1#3/4", pointerRecord("a"), srvRecord("a"), txtRecord("a"), addressRecord("h", "10.1.0.2"));
  await bench.during(1000);
  assert.equal(bench.shown("addr"), ["10.0.0.2,10.1.0.2"]);
  assert.equal(bench.shown("mdns.interface"), ["eth0,eth1"]);
  bench.interfaces = [ETH1];
  assert.equal(await bench.during(10_000), ["publish a"]);
  assert.equal(bench.shown("addr"), ["10.1.0.2"]);
});

test("a cache flush on one link leaves what another link shows", async () => {
  const bench = new Bench({}, [ETH0, ETH1]);
  bench.hear("eth0#2/4", ...instance("a"));
  await bench.during(5000);
  bench.hear("eth1#3/4", pointerRecord("a"), srvRecord("a"), txtRecord("a"), addressRecord("h", "10.1.0.2"));
  await bench.during(5000);
  assert.equal(bench.shown("addr"), ["10.0.0.2,10.1.0.2"]);
  bench.hear("eth0#2/6", addressRecord("h", "10.0.0.3")); // the other family is the same link
  await bench.during(5000);
  assert.equal(bench.shown("addr"), ["10.0.0.3,10.1.0.2"]);
});

test("two things of one name on two links: the one that was there first stays while it lives", async () => {
  const bench = new Bench({}, [ETH0, ETH1]);
  bench.hear("eth1#3/4", ...instance("a"));
  await bench.during(1000);
  bench.hear("eth0#2/4", pointerRecord("a"), srvRecord("a", { port: 81 }), txtRecord("a"), addressRecord("h"));
  assert.equal(await bench.during(1000), []);
  assert.equal(bench.shown("port"), ["80"]);
  assert.equal(bench.gateway.state().dropped, { "same name on another link": 1 });
  bench.hear("eth1#3/4", pointerRecord("a", { ttlSeconds: 0 }));
  assert.equal(await bench.during(2000), ["publish a"]);
  assert.equal(bench.shown("port"), ["81"]);
  assert.equal(bench.shown("mdns.interface"), ["eth0"]);
});

test("a host with two legs that names them differently is one service if its TXT has a unique id", async () => {
  const bench = new Bench({}, [ETH0, ETH1]);
  const leg = (number: number) => [
    pointerRecord("a"),
    srvRecord("a", { target: `h${number}.local` }),
    txtRecord("a", ["deviceid=58:55:CA:1A:E2:88", `ip=10.${number}.0.2`]),
    addressRecord(`h${number}`, `10.${number}.0.2`),
  ];
  bench.hear("eth0#2/4", ...leg(0));
  bench.hear("eth1#3/4", ...leg(1));
  await bench.during(1000);
  assert.equal(bench.shown("addr"), ["10.0.0.2,10.1.0.2"]);
  assert.equal(bench.shown("mdns.host"), ["h0.local"], "where they differ, the first interface decides");
});

test("services that carry sdid are in a directory already: they are not taken, also if the mark comes later", async () => {
  const bench = new Bench();
  const marked = [pointerRecord("a"), srvRecord("a"), txtRecord("a", ["SDID=00000000000000ff"]), addressRecord("h")];
  bench.hear("eth0#2/4", ...marked, ...instance("b"));
  assert.equal(await bench.during(1000), ["publish b"]);
  bench.hear("eth0#2/4", txtRecord("b", ["v=1", "sdid"]));
  assert.equal(await bench.during(4000), ["unpublish b"]);
  assert.equal(bench.gateway.state().dropped, { "carries sdid": 2 });
});

test("without an interface it waits for one; loopback does not count", async () => {
  const bench = new Bench({}, [LO]);
  await bench.during(60_000);
  assert.is(bench.links.size, 0);
  bench.interfaces = [LO, ETH1];
  await bench.during(5000);
  assert.equal([...bench.links.keys()], ["eth1#3/4"]);
  await bench.during(200);
  assert.is(bench.queries, 1);
});

test("interfaces that are listed are used, and no others; loopback, too", async () => {
  assert.equal([...new Bench({ interfaces: ["lo", "wlan0"] }, [LO, ETH0]).links.keys()], ["lo#1/4"]);
});

test("interfaces that are listed and not there are named, each time others are missing", async () => {
  const bench = new Bench({ interfaces: ["eth0", "eht1"] });
  await bench.during(60_000);
  assert.equal(bench.logged, ["mdns: browsing on eth0.", "mdns: waiting for eht1."]);
  bench.interfaces = [LO];
  await bench.during(10_000);
  assert.equal(bench.logged.slice(2), ["mdns: eth0 is gone.", "mdns: waiting for eth0, eht1."]);
});

test("an IPv6 address that cannot send at first is no warning; one that still cannot is", async () => {
  const bench = new Bench();
  const breakLink = async (message: string) => {
    bench.links.get("eth0#2/6")!.onBroken(new Error(message));
    await bench.during(10_000);
    return bench.logged.splice(0);
  };
  assert.equal(await breakLink("send EADDRNOTAVAIL ff02::fb:5353"), ["mdns: browsing on eth0."]);
  assert.equal(await breakLink("send ENETUNREACH ff02::fb:5353"), [
    "mdns: eth0 (number 2), IPv6: send ENETUNREACH ff02::fb:5353; trying again in 10 s.",
  ]);
  assert.equal(await breakLink("send EADDRNOTAVAIL ff02::fb:5353"), []);
});

test("an interface that is deleted and created anew gets new links, and its services do not flap", async () => {
  const bench = new Bench();
  bench.hear("eth0#2/4", ...instance("a"));
  await bench.during(1000);
  bench.interfaces = [{ ...ETH0, index: 9 }];
  await bench.during(5000);
  assert.equal([...bench.links.keys()].sort(), ["eth0#9/4", "eth0#9/6"]);
  bench.hear("eth0#9/4", ...instance("a"));
  assert.equal(await bench.during(10_000), []);
  assert.is(bench.directory.services.size, 1);
});

test("another address on the interface keeps what is known and asks anew; a lost one gets another link", async () => {
  const bench = new Bench();
  bench.hear("eth0#2/4", ...instance("a"));
  await bench.during(30_000);
  const before = bench.links.get("eth0#2/4");
  const address = { family: 4, address: "10.9.0.1", prefixLength: 16 } as const;
  bench.interfaces = [{ ...ETH0, addresses: [...ETH0.addresses, address] }];
  bench.queries = 0;
  assert.equal(await bench.during(5100), []);
  assert.ok(bench.queries >= 2);
  assert.is(bench.links.get("eth0#2/4"), before);
  assert.ok(before!.isInScope("10.9.77.1"));
  bench.interfaces = [{ ...ETH0, addresses: [address] }];
  assert.equal(await bench.during(5100), []);
  assert.equal([...bench.links.keys()], ["eth0#2/4"]);
  assert.is.not(bench.links.get("eth0#2/4"), before);
});

test("a link that breaks is opened again at the next look", async () => {
  const bench = new Bench();
  const before = bench.links.get("eth0#2/4")!;
  before.onBroken(new Error("send ENODEV"));
  await bench.during(5000);
  assert.is.not(bench.links.get("eth0#2/4"), before);
  assert.is(bench.links.size, 2);
});

test("a link that keeps breaking is tried ever more rarely, and causes no storm of questions", async () => {
  const bench = new Bench();
  let opened = 0;
  for (let second = 0; second < 3600; second++) {
    const link = bench.links.get("eth0#2/6")!;
    if (link !== bench.broken) {
      opened++;
      bench.broken = link;
      link.onBroken(new Error("bind EADDRNOTAVAIL"));
      link.onBroken(new Error("send EADDRNOTAVAIL"));
    }
    await bench.during(1000);
  }
  assert.ok(opened >= 8 && opened <= 20, `${opened} times in an hour`);
  assert.ok(bench.queries < 200, `${bench.queries} queries`);
});

/** Breaks the link; the seconds until it is tried again, as the log tells. */
async function secondsToRetry(bench: Bench, key: string): Promise<number> {
  bench.links.get(key)!.onBroken(new Error("send ENETUNREACH"));
  const seconds = Number(/trying again in (\d+) s/.exec(bench.gateway.state().lastError!.text)?.[1]);
  await bench.during(seconds * 1000 + 5000);
  return seconds;
}

test("a link that hears but cannot send is tried ever more rarely; one that sent for a minute is sound again", async () => {
  const bench = new Bench();
  const seconds: number[] = [];
  for (let i = 0; i < 4; i++) {
    seconds.push(await secondsToRetry(bench, "eth0#2/6"));
    bench.hear("eth0#2/6", ...instance("a"));
  }
  assert.equal(seconds, [5, 10, 20, 40]);
  bench.links.get("eth0#2/6")!.onSent();
  assert.is(await secondsToRetry(bench, "eth0#2/6"), 80, "it sent for a moment only");
  await bench.during(60_000);
  bench.links.get("eth0#2/6")!.onSent();
  assert.is(await secondsToRetry(bench, "eth0#2/6"), 5);
});

test("one family that breaks neither holds up the other nor makes it ask again; it catches up alone", async () => {
  const bench = new Bench();
  await bench.during(100_000);
  const [v4, before] = [bench.links.get("eth0#2/4"), bench.asked.get("eth0#2/4")!.length];
  bench.links.get("eth0#2/6")!.onBroken(new Error("send ENETUNREACH"));
  bench.asked.delete("eth0#2/6");
  await bench.during(10_000);
  assert.is(bench.links.get("eth0#2/4"), v4);
  assert.is(bench.asked.get("eth0#2/4")!.length, before);
  assert.equal(bench.asked.get("eth0#2/6"), [105_070, 106_070, 108_070]);
  v4!.onBroken(new Error("send ENETUNREACH"));
  assert.match(bench.gateway.state().lastError!.text, /IPv4.*trying again in 5 s/);
});

test("a broken link whose interface has other addresses now is opened anew at once", async () => {
  const bench = new Bench();
  for (let i = 0; i < 5; i++) await secondsToRetry(bench, "eth0#2/4");
  const before = bench.links.get("eth0#2/4")!;
  before.onBroken(new Error("send ENETUNREACH"));
  await bench.during(10_000);
  assert.is(bench.links.get("eth0#2/4"), before);
  bench.interfaces = [
    { ...ETH0, addresses: [{ family: 4, address: "10.0.0.7", prefixLength: 24 }, ETH0.addresses[1]] },
  ];
  await bench.during(5000);
  assert.is.not(bench.links.get("eth0#2/4"), before);
});

test("while the interfaces cannot be listed all stays as it is", async () => {
  const bench = new Bench();
  bench.hear("eth0#2/4", ...instance("a"));
  await bench.during(1000);
  bench.listError = new Error("EMFILE");
  assert.equal(await bench.during(20_000), []);
  bench.listError = undefined;
  bench.interfaces = [LO, ETH0, ETH1];
  await bench.during(5000);
  assert.is(bench.links.size, 3);
});

test("stop closes all links, leaves no timer, and leaves the directory as it is", async () => {
  const bench = new Bench();
  bench.hear("eth0#2/4", ...instance("a"));
  await bench.during(1000);
  await bench.gateway.stop();
  assert.equal([bench.links.size, bench.clock.timers(), bench.directory.services.size], [0, [], 1]);
});

test("after a restart of the process generations go on rising, under the same ids", async () => {
  const bench = new Bench();
  bench.hear("eth0#2/4", ...instance("a"));
  await bench.during(5000);
  const [[id, { generation }]] = bench.directory.services;
  await bench.gateway.stop();
  const again = new Bench({}, [ETH0], bench.directory);
  again.hear("eth0#2/4", pointerRecord("a"), srvRecord("a"), txtRecord("a", ["v=2"]), addressRecord("h"));
  await again.during(1000);
  assert.equal(again.shown("txt.v"), ["2"]);
  assert.ok(bench.directory.services.get(id)!.generation > generation);
});

test("one host may announce some hundred services; more than the limit for a host are counted", async () => {
  const bench = new Bench();
  for (let i = 0; i < 1000; i++) bench.hear("eth0#2/4", ...instance(`service ${i}`));
  await bench.during(1000);
  const shown = bench.directory.services.size;
  assert.ok(shown >= 600 && shown < 1000, `${shown} services`);
  assert.ok(bench.gateway.state().dropped["beyond a limit"] > 0);
});

test("packets of a host that sends too many are counted over all links, and told once", async () => {
  const bench = new Bench();
  for (const link of ["eth0#2/4", "eth0#2/6"]) {
    for (let i = 0; i < 1500; i++) bench.links.get(link)!.rates.take("10.0.0.2");
  }
  assert.is(bench.gateway.state().dropped["too many packets of one host"], 1000);
  assert.is(bench.logged.filter((line) => line.includes("10.0.0.2 sends more packets")).length, 1);
});

test("another host's packet with the bytes of our own is no echo", async () => {
  const bench = new Bench();
  const { echoes } = bench.links.get("eth0#2/4")!;
  echoes.sent(Buffer.from("a"));
  assert.equal([echoes.has(Buffer.from("a"), "10.0.0.1"), echoes.has(Buffer.from("a"), "10.0.0.2")], [true, false]);
});

test("no more services than the limit", async () => {
  const bench = new Bench({ maxInstances: 2 });
  bench.hear("eth0#2/4", ...instance("a"), ...instance("b"), ...instance("c"));
  await bench.during(1000);
  assert.is(bench.directory.services.size, 2);
});

test("what found no room is published when there is some, soon, however many wait", async () => {
  const bench = new Bench({ maxInstances: 3 }, [ETH0, ETH1]);
  bench.hear("eth0#2/4", ...instance("a"), ...instance("b"), ...instance("c"));
  bench.hear("eth1#3/4", ...instance("d"), ...instance("e"), ...instance("f"));
  await bench.during(30_000);
  assert.equal(bench.shown("name").sort(), ["a", "b", "c"]);
  assert.equal(bench.gateway.state().dropped, { "more services than max_instances": 3 });
  bench.hear("eth0#2/4", pointerRecord("a", { ttlSeconds: 0 }));
  bench.hear("eth1#3/4", pointerRecord("d", { ttlSeconds: 0 }));
  const calls: string[] = [];
  for (let i = 0; i < 14; i++) calls.push(...(await bench.during(1000)));
  assert.equal(calls, ["unpublish a", "publish e"]);
  bench.hear("eth0#2/4", pointerRecord("b", { ttlSeconds: 0 }), pointerRecord("c", { ttlSeconds: 0 }));
  bench.hear("eth1#3/4", pointerRecord("e", { ttlSeconds: 0 }), pointerRecord("f", { ttlSeconds: 0 }));
  await bench.during(30_000);
  assert.is(bench.clock.timers().includes("mdns room"), false);
});

test("after the machine slept, and after a link was away, all is asked for anew, and what does not answer is gone", async () => {
  for (const isSleep of [true, false]) {
    const bench = new Bench({}, [{ ...ETH0, carrierChanges: 2 }]);
    bench.hear("eth0#2/4", ...instance("a"), pointerRecord("b"), srvRecord("b", { target: "g.local" }), txtRecord("b"));
    bench.hear("eth0#2/4", addressRecord("g", "10.0.0.9"));
    await bench.during(30_000);
    bench.queries = 0;
    if (isSleep) bench.clock.sleepMs(60_000);
    else bench.interfaces = [{ ...ETH0, carrierChanges: 4 }];
    const calls: string[] = [];
    for (let i = 0; i < 20; i++) {
      calls.push(...(await bench.during(1000)));
      bench.hear("eth0#2/4", ...instance("a"));
    }
    assert.equal(calls, ["unpublish b"]);
    assert.ok(bench.queries >= 4);
    assert.is(bench.logged.filter((line) => line.includes("slept")).length, isSleep ? 1 : 0);
  }
});

const BAD_OPTIONS: readonly [options: object, message: RegExp][] = [
  [{ types: ["_a._tcp", "http"] }, /types\[1\]: "http" is not a service type/],
  [{ types: ["_a..tcp"] }, /types\[0\]: empty label/],
  [{ maxTtlSeconds: 0 }, /maxTtlSeconds: 0 is not a number above 0/],
  [{ interfacePollSeconds: Number.NaN }, /interfacePollSeconds: NaN/],
];
for (const [options, message] of BAD_OPTIONS) {
  test(`options ${JSON.stringify(options)} are refused`, () => {
    try {
      new Bench(options);
    } catch (error) {
      assert.instance(error, MdnsOptionError);
      assert.match((error as Error).message, message);
      return;
    }
    assert.unreachable();
  });
}

const SCOPE: readonly [source: string, isInScope: boolean][] = [
  ["10.0.0.77", true],
  ["10.0.1.77", false],
  ["127.0.0.1", false],
  ["169.254.9.9", true],
  ["fe80::99", true],
  ["fe80::99%eth0", true],
  ["fe80::99%2", true],
  ["fe80::99%eth1", false],
  ["fd00::1", false],
  ["", false],
];
for (const [source, isInScope] of SCOPE) {
  test(`a packet from ${source || "nowhere"} is ${isInScope ? "" : "not "}of this link`, () => {
    assert.is(linkScope(ETH0)(source), isInScope);
  });
}

test("this machine's interfaces are listed, loopback with its number", () => {
  const lo = listInterfaces().find(({ isLoopback }) => isLoopback);
  assert.equal(
    [lo?.name, lo?.index, lo?.addresses[0]],
    ["lo", 1, { family: 4, address: "127.0.0.1", prefixLength: 8 }],
  );
});

test.run();
