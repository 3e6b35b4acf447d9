/**
 * What the mDNS gateway publishes, as real avahi-daemons see it. Each scenario has a lab of its own; they run at the same
 * time, since they mostly wait for the delays that RFC 6762 wants.
 */

import { rmSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { missingForLab } from "./lab.js";
import { buildOutboundDriver, MdnsLab, names, OUTBOUND_DRIVER, type Resolved } from "./mdns-lab.js";

const avahi = suite("avahi outbound");
const missing = missingForLab();
const scenarios: { readonly name: string; readonly run: () => Promise<void>; result?: Promise<unknown> }[] = [];

function scenario(name: string, hosts: string, run: (lab: MdnsLab) => Promise<void>): void {
  const whole = async () => {
    const lab = await MdnsLab.start(hosts);
    try {
      await run(lab);
    } finally {
      await lab.stop();
    }
  };
  const entry: (typeof scenarios)[number] = { name, run: whole };
  scenarios.push(entry);
  avahi(name, async () => {
    const error = await entry.result;
    if (error) throw error;
  });
}

const PARALLEL = 4;

avahi.before(async () => {
  await buildOutboundDriver();
  const left = [...scenarios];
  const ends = new Map(scenarios.map((entry) => [entry, () => {}] as [typeof entry, (error?: unknown) => void]));
  for (const entry of scenarios) entry.result = new Promise((resolve) => ends.set(entry, resolve));
  const worker = async () => {
    for (let entry = left.shift(); entry; entry = left.shift()) ends.get(entry)!(await entry.run().catch((e) => e));
  };
  for (let i = 0; i < PARALLEL; i++) void worker();
});
avahi.after(() => rmSync(OUTBOUND_DRIVER, { force: true }));

const TWO = "host g 1; host a 2; avahi_start a";
const named = (all: readonly Resolved[], name: string) => all.filter((line) => line.name === name);

scenario(
  "everything is resolved, byte for byte, by IPv4 and IPv6; changes and withdrawals arrive",
  TWO,
  async (lab) => {
    await lab.run("on g ip route del 224.0.0.0/4"); // and there is no default route
    await lab.gateway("g");
    const bytes = Buffer.from(Array.from({ length: 200 }, (_, i) => i));
    const long = "n".repeat(62);
    const services: Record<string, Record<string, unknown>> = {
      1: { name: "Foo v1.2", port: 1, "txt.empty": "", "txtflag.flag": 1, "txt.a": 'b c=d;"e\\f' },
      2: { name: "back\\slash.", port: 2, "txtb64.bin": bytes.toString("base64") },
      3: { name: "Küche ☕ 2.0 'q' \"d\" ; `x`", port: 3, "txt.note": "Küche ☕" },
      4: { name: `${long}é`, port: 65_535 },
      5: { name: "Proxied", port: 5, addr: ["10.77.0.50", "fd00::5"] },
    };
    for (const [id, shown] of Object.entries(services)) await lab.say("g", id, shown);
    const all = await lab.browsed("a", "five services", (found) => found.length === 10);
    const marks = (id: number) => ["sdgw=g", `sdid=${String(id).padStart(16, "0")}`];
    const expected = [
      ["Foo v1.2", 1, ['a=b c=d;"e\\f', "empty=", "flag", ...marks(1)]],
      ["back\\slash.", 2, [`bin=${bytes.toString("latin1")}`, ...marks(2)]],
      [services[3].name, 3, [`note=${Buffer.from("Küche ☕").toString("latin1")}`, ...marks(3)]],
      [long, 65_535, marks(4)],
      ["Proxied", 5, marks(5)],
    ];
    for (const family of ["IPv4", "IPv6"]) {
      const found = all
        .filter((line) => line.family === family)
        .sort((a, b) => a.txt.at(-1)!.localeCompare(b.txt.at(-1)!));
      assert.equal(
        found.map(({ name, port, txt }) => [name, port, txt]),
        expected,
      );
    }
    assert.equal([...new Set(named(all, "Proxied").map(({ host }) => host))], ["d-0000000000000005.local"]);
    assert.ok(named(all, "Proxied").every(({ address }) => address === "10.77.0.50" || address === "fd00::5"));
    assert.equal([...new Set(named(all, "Foo v1.2").map(({ host }) => host))], ["pf-g.local"]);
    await lab.say("g", "1", { name: "Foo v1.2", port: 11, "txt.a": "new" });
    await lab.browsed("a", "the change", (found) => {
      const lines = named(found, "Foo v1.2");
      return lines.length === 2 && lines.every(({ port, txt }) => port === 11 && txt.includes("a=new"));
    });
    await lab.say("g", "5");
    await lab.browsed("a", "the withdrawal", (found) => found.length === 8);
    await lab.end("g");
    await lab.browsed("a", "the goodbyes", (found) => found.length === 0, 5000);
  },
);

scenario("avahi first: we take the next name, and remember it", TWO, async (lab) => {
  await lab.run(`svc a lamp "Lamp" _http._tcp 80 v=avahi`);
  await lab.browsed("a", "avahi's own", (found) => found.length > 0);
  const options = { namesFile: `/tmp/names-${process.pid}.json` };
  rmSync(options.namesFile, { force: true });
  await lab.gateway("g", options);
  await lab.say("g", "1", { name: "Lamp", port: 81 });
  await lab.browsed("a", "both", (found) => names(found).join() === "Lamp,Lamp (2)");
  await lab.end("g");
  await lab.browsed("a", "only avahi's", (found) => names(found).join() === "Lamp");
  await lab.run("unsvc a lamp");
  await lab.gateway("g", options); // the other is gone, but everybody knows ours by its name
  await lab.say("g", "1", { name: "Lamp", port: 81 });
  await lab.browsed("a", "ours again", (found) => names(found).join() === "Lamp (2)");
  rmSync(options.namesFile);
});

scenario("we first: avahi takes the next name", TWO, async (lab) => {
  await lab.gateway("g");
  await lab.say("g", "1", { name: "Lamp", port: 81 });
  await lab.published("g", 1);
  await lab.run(`svc a lamp "Lamp" _http._tcp 80 v=avahi`);
  const all = await lab.browsed("a", "both", (found) => names(found).join() === "Lamp,Lamp #2");
  assert.equal(named(all, "Lamp")[0].port, 81);
});

scenario("both at once: each gets a name, and none has both", TWO, async (lab) => {
  await lab.gateway("g");
  await lab.run(
    `svc a lamp "Lamp" _http._tcp 80 v=avahi; printf '{"id":"1","properties":{"name":"Lamp","port":81}}\\n' >&$to_g`,
  );
  const all = await lab.browsed("a", "both", (found) => /^Lamp,Lamp (\(2\)|#2)$/.test(names(found).join()));
  assert.equal(
    all
      .filter(({ family }) => family === "IPv4")
      .map(({ port }) => port)
      .sort(),
    [80, 81],
  );
});

scenario("killed, we come back under our name; avahi killed and back, it finds us", TWO, async (lab) => {
  await lab.gateway("g");
  await lab.say("g", "1", { name: "Lamp", port: 81, "txt.v": "1" });
  await lab.browsed("a", "the service", (found) => names(found).join() === "Lamp");
  await lab.end("g", "KILL");
  await lab.gateway("g");
  await lab.say("g", "1", { name: "Lamp", port: 81, "txt.v": "2" });
  await lab.published("g", 1);
  await lab.browsed(
    "a",
    "the new TXT",
    (found) => named(found, "Lamp").length === 2 && found.every(({ txt }) => txt.includes("v=2")),
  );
  await lab.run("avahi_stop a KILL; avahi_start a");
  await lab.browsed("a", "the service, after avahi's restart", (found) => names(found).join() === "Lamp");
});

scenario("200 services are announced ten a second, and all are resolved", TWO, async (lab) => {
  await lab.gateway("g");
  const lines = Array.from({ length: 200 }, (_, i) =>
    JSON.stringify({ id: (i + 1).toString(16), properties: { name: `Service ${i}`, port: 1000 + i, "txt.i": `${i}` } }),
  );
  const beganMs = performance.now();
  for (let i = 0; i < 200; i += 20)
    await lab.run(
      `printf '%s\\n' ${lines
        .slice(i, i + 20)
        .map((line) => `'${line}'`)
        .join(" ")} >&$to_g`,
    );
  await lab.published("g", 200, 40_000);
  assert.ok(performance.now() - beganMs > 18_000, "no storm");
  const all = await lab.browsed("a", "200 services", (found) => names(found).length === 200, 20_000);
  for (const { name, port, txt } of all)
    assert.equal([name, txt.includes(`i=${port - 1000}`)], [`Service ${port - 1000}`, true]);
});

scenario("a link that goes and comes, or is made anew, is served again; and a second one", TWO, async (lab) => {
  await lab.gateway("g");
  await lab.say("g", "1", { name: "Lamp", port: 81 });
  await lab.browsed("a", "the service", (found) => names(found).join() === "Lamp");
  const again = async (what: string, steps: string) => {
    await lab.run("avahi_stop a");
    await lab.run(steps);
    await lab.run("avahi_start a");
    await lab.browsed("a", what, (found) => names(found).join() === "Lamp", 20_000);
  };
  await again("after link down and up", "on g ip link set eth0 down; sleep 1; on g ip link set eth0 up");
  await again("after deletion", "on g ip link del eth0; attach g eth0 br0 10.77.0.1");
  await lab.run("attach g eth1 br1 10.78.0.1; attach a eth1 br1 10.78.0.2");
  let second: Resolved[] = [];
  for (let i = 0; i < 20 && second.length < 2; i++) second = await lab.browse("a", undefined, "eth1");
  assert.equal(second.find(({ family }) => family === "IPv4")?.address, "10.78.0.1", "the address of that link");
  const first = await lab.browsed("a", "the first link", (found) => names(found).join() === "Lamp");
  assert.equal(first.find(({ family }) => family === "IPv4")?.address, "10.77.0.1");
});

scenario(
  "addresses come and go on a link that stays up: nothing disappears, and what is resolved has the new ones",
  TWO,
  async (lab) => {
    await lab.run(
      "on g sysctl -qw net.ipv4.conf.all.promote_secondaries=1; on g ip addr add fd00::1/64 dev eth0 nodad",
    );
    await lab.gateway("g");
    for (let i = 1; i <= 25; i++) await lab.say("g", i.toString(16), { name: `Lamp ${i}`, port: i });
    await lab.published("g", 25, 30_000);
    await lab.watch("a");
    const have = async (what: string, wanted: readonly string[]) => {
      const of = (all: readonly Resolved[], family: string) => new Set(all.filter((line) => line.family === family));
      const shown = (all: readonly Resolved[]) => new Set(all.map(({ address }) => address));
      await lab.browsed("a", what, (all) => {
        const isWhole = of(all, "IPv4").size === 25 && of(all, "IPv6").size === 25;
        return isWhole && [...shown(all)].every((address) => wanted.includes(address));
      });
    };
    await have("all at first", ["10.77.0.1", "fd00::1"]);
    await lab.run("on g ip addr add 10.77.0.9/24 dev eth0; on g ip addr add fd00::9/64 dev eth0 nodad");
    await have("one more of each family", ["10.77.0.1", "10.77.0.9", "fd00::1", "fd00::9"]);
    await lab.run("on g ip addr del 10.77.0.1/24 dev eth0; on g ip addr del fd00::1/64 dev eth0");
    await have("the former ones gone", ["10.77.0.9", "fd00::9"]);
    await lab.run("on g ip addr add 10.77.0.8/24 dev eth0; on g ip addr del 10.77.0.9/24 dev eth0");
    await have("renumbered", ["10.77.0.8", "fd00::9"]);
    const logged = (text: string) => lab.seen(text, (event) => event.text?.includes(text) === true);
    await lab.run("attach g eth1 br1 10.78.0.1");
    await logged("browsing on eth1");
    await lab.run("on g ip link del eth1");
    await logged("eth1 is gone");
    await lab.say("g", "64", { name: "Marker", port: 100 }); // takes longer than what was taken back would take to go
    await lab.browsed("a", "the marker", (found) => named(found, "Marker").length === 2);
    assert.equal(await lab.disappearances("a"), []);
    const renamed = lab.events.filter(({ event, text }) => event === "log" && text?.includes("from now on"));
    assert.equal(renamed, []);
  },
);

scenario("two interfaces in one subnet: one host with both addresses, and nothing disappears", TWO, async (lab) => {
  await lab.run("attach g eth1 br0 10.77.0.9");
  await lab.gateway("g");
  await lab.say("g", "1", { name: "Lamp", port: 81 });
  await lab.published("g", 1);
  await lab.watch("a");
  const resolve = () =>
    lab.run("nsenter -t $(cat $D/a/pid) -m -n -- timeout 20 avahi-resolve -4n pf-g.local | cut -f2; true");
  await lab.browsed("a", "the service", (found) => names(found).join() === "Lamp");
  assert.ok(["10.77.0.1", "10.77.0.9"].includes(await resolve()));
  const becomes = async (address: string) => {
    for (let i = 0; i < 100 && (await resolve()) !== address; i++) await lab.run("sleep 0.1");
    assert.is(await resolve(), address);
  };
  await lab.run("on g ip addr del 10.77.0.9/24 dev eth1");
  await becomes("10.77.0.1");
  await lab.run("on g ip addr add 10.77.0.9/24 dev eth1; on g ip addr del 10.77.0.1/24 dev eth0");
  await becomes("10.77.0.9");
  await lab.say("g", "2", { name: "Marker", port: 82 }); // takes longer than what was taken back would take to go
  await lab.browsed("a", "the marker", (found) => names(found).join() === "Lamp,Marker");
  assert.equal(await lab.disappearances("a"), []);
});

scenario(
  "IPv6 only",
  "host g 1; host a 2; avahi_start a use-ipv4=no use-ipv6=yes; on g ip addr flush dev eth0 scope global",
  async (lab) => {
    await lab.gateway("g");
    await lab.say("g", "1", { name: "Six", port: 86 });
    const all = await lab.browsed("a", "the service", (found) => found.length > 0);
    assert.equal(
      all.map(({ name, family }) => [name, family]),
      [["Six", "IPv6"]],
    );
    assert.match(all[0].address, /^fe80::/);
  },
);

scenario(
  "beside an avahi-daemon on the same host both are seen",
  "host g 1; host a 2; avahi_start g; avahi_start a",
  async (lab) => {
    await lab.gateway("g");
    await lab.run(`svc g own "Own" _http._tcp 80 v=1`);
    await lab.say("g", "1", { name: "Ours", port: 81 });
    for (const host of ["a", "g"]) await lab.browsed(host, "both", (found) => names(found).join() === "Ours,Own");
    await lab.say("g", "2", { name: "Own", port: 82 });
    await lab.browsed("a", "a conflict on one host", (found) => names(found).join() === "Ours,Own,Own (2)");
  },
);

scenario(
  "two gateways with one service: one stands by, and takes over",
  "host g 1; host h 3; host a 2; avahi_start a",
  async (lab) => {
    await lab.gateway("g");
    await lab.say("g", "1", { name: "Lamp", port: 81 });
    await lab.published("g", 1);
    await lab.gateway("h");
    await lab.say("h", "1", { name: "Lamp", port: 81 });
    await lab.seen("standing by", ({ from, counts }) => from === "h" && counts?.standby === 1);
    const before = await lab.browsed("a", "one", (found) => names(found).join() === "Lamp");
    assert.equal(before[0].host, "pf-g.local");
    await lab.end("g");
    await lab.browsed("a", "the other", (found) => names(found).join() === "Lamp" && found[0].host === "pf-h.local");
  },
);

scenario(
  "two gateways with one service of a third device, whose address each knows otherwise: nobody is renamed",
  "host g 1; host h 3; host a 2; avahi_start a",
  async (lab) => {
    const say = (host: string, address: string) =>
      lab.say(host, "1", { name: "Lamp", port: 81, addr: [address, "fd00::50"] });
    await lab.gateway("g");
    await say("g", "10.77.0.50");
    await lab.published("g", 1);
    await lab.gateway("h");
    await say("h", "10.77.0.51");
    await lab.seen("standing by", ({ from, counts }) => from === "h" && counts?.standby === 1);
    const has = (address: string) => (found: readonly Resolved[]) => {
      const isIt = (line: Resolved) => line.host === "d-0000000000000001.local" && line.name === "Lamp";
      return found.length === 2 && found.every(isIt) && found.some((line) => line.address === address);
    };
    await lab.browsed("a", "one", has("10.77.0.50"));
    await lab.end("g");
    await lab.browsed("a", "the other", has("10.77.0.51"));
    assert.equal(
      lab.events.filter(({ event, text }) => event === "log" && text?.includes("from now on")),
      [],
    );
  },
);

if (missing === undefined || process.env.CI === "true") avahi.run();
else {
  console.log(`skipped: what the mDNS gateway publishes, against avahi (${missing})`);
  const skipped = suite("avahi outbound");
  skipped.skip("what the mDNS gateway publishes, against avahi", () => {});
  skipped.run();
}
