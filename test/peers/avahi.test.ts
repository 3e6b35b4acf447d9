/** The mDNS gateway against real avahi-daemons, each in a network namespace of its own. */

import { rmSync } from "node:fs";
import { join } from "node:path";
import { build } from "esbuild";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Lab, missingForLab, ROOT } from "./lab.js";

interface Event {
  readonly event: "started" | "publish" | "unpublish" | "stopped";
  readonly id: string;
  readonly generation: number;
  readonly ttl: number;
  readonly properties: Readonly<Record<string, readonly (string | number)[]>>;
  readonly atMs: number;
}

const DRIVER = join(ROOT, `.cache/avahi-driver-${process.pid}.cjs`);
const avahi = suite("avahi");
const missing = missingForLab();
let lab: Lab;
let events: Event[] = [];
let check: () => void = () => {};

/** The first event from now on (or among those not yet forgotten) that fits; rejects after `limitMs`. */
function seen(what: string, fits: (event: Event) => boolean, limitMs = 6000): Promise<Event> {
  return new Promise((resolve, reject) => {
    const limit = setTimeout(() => {
      check = () => {};
      reject(new Error(`not seen within ${limitMs} ms: ${what}; but ${JSON.stringify(events)}`));
    }, limitMs);
    check = () => {
      const found = events.find(fits);
      if (!found) return;
      clearTimeout(limit);
      check = () => {};
      resolve(found);
    };
    check();
  });
}

const published = (name: string, fits: (event: Event) => boolean = () => true, limitMs?: number) =>
  seen(
    `${name} published`,
    (event) => event.event === "publish" && event.properties.name[0] === name && fits(event),
    limitMs,
  );
const withdrawn = (id: string, limitMs?: number) =>
  seen(`${id} withdrawn`, (event) => event.event === "unpublish" && event.id === id, limitMs);
const forget = () => (events = []);
const startGateway = async (options: object) => {
  forget();
  await lab.run(`on_exec g ${process.execPath} ${DRIVER} '${JSON.stringify(options)}' & gw=$!`);
  await seen("the gateway's start", ({ event }) => event === "started");
};
const stopGateway = async () => {
  await lab.run("kill $gw");
  await seen("the gateway's stop", ({ event }) => event === "stopped");
  await lab.run("wait $gw");
};

avahi.before(async () => {
  await build({
    entryPoints: [join(ROOT, "test/peers/avahi-driver.ts")],
    outfile: DRIVER,
    bundle: true,
    platform: "node",
    target: "node18",
    format: "cjs",
  });
  lab = await Lab.start();
  lab.onLine = (line) => {
    events.push({ ...JSON.parse(line), atMs: performance.now() });
    check();
  };
  await lab.run("host g 1; host a 2; host b 3");
  await lab.run("avahi_start a");
});

avahi.after(async () => {
  await lab?.stop();
  rmSync(DRIVER, { force: true });
});

avahi("a service that is there already appears at once, with all its properties", async () => {
  await lab.run(`svc a lamp "Lamp" _mqttdev._tcp 8080 v=1 flag "note=Küche"`);
  await startGateway({ scope: "lab", types: ["_mqttdev._tcp"], interfacePollSeconds: 0.5 });
  const { id, properties, ttl } = await published("Lamp");
  assert.is(ttl, 240);
  assert.match(id, /^[0-9a-f]{1,16}$/);
  const { "mdns.interface": on, addr, ...rest } = properties;
  assert.equal(rest, {
    name: ["Lamp"],
    "mdns.type": ["_mqttdev._tcp"],
    "mdns.host": ["a.local"],
    port: [8080],
    priority: [0],
    weight: [0],
    src: ["mdns:lab"],
    "txt.v": ["1"],
    "txtflag.flag": [1],
    "txt.note": ["Küche"],
  });
  assert.equal(on, ["eth0"]);
  assert.equal(addr, ["10.77.0.2"]);
});

avahi("a change of TXT is one update with a higher generation and no withdrawal", async () => {
  const before = await published("Lamp");
  forget();
  await lab.run(`svc a lamp "Lamp" _mqttdev._tcp 8080 v=2`);
  const after = await published("Lamp", ({ properties }) => properties["txt.v"]?.[0] === "2");
  assert.is(after.id, before.id);
  assert.ok(after.generation > before.generation);
  assert.not.ok(
    events.some(({ event }) => event === "unpublish"),
    "goodbye and return within 1 s must not flap",
  );
});

avahi("names with dots, backslashes, spaces and UTF-8 are resolved by queries", async () => {
  const names = ["Foo v1.2", "back\\slash", "Küche ☕ 2.0"];
  for (const [i, name] of names.entries()) await lab.run(`svc a n${i} '${name}' _mqttdev._tcp ${9000 + i} i=${i}`);
  for (const [i, name] of names.entries()) assert.equal((await published(name)).properties.port, [9000 + i]);
  // Announced is not asked for: a gateway that starts now has to ask.
  await stopGateway();
  await startGateway({ scope: "lab", types: ["_mqttdev._tcp"], interfacePollSeconds: 0.5 });
  for (const [i, name] of names.entries()) assert.equal((await published(name)).properties["txt.i"], [`${i}`]);
});

avahi("63 KB of garbage on port 5353 harm nothing", async () => {
  forget();
  const flood =
    `const s=require('dgram').createSocket({type:'udp4',reuseAddr:true});s.bind(5353,()=>{s.setMulticastInterface('10.77.0.3');
    let n=0;const go=()=>{if(n++===60)return s.close();const b=Buffer.alloc(n%2?63000:700);for(let i=0;i<b.length;i++)b[i]=(i*n*7919)>>3;
    if(n%3){b.fill(0,0,4);b[2]=0x84}s.send(b,5353,'224.0.0.251',go)};go()})`.replace(/\n\s*/g, "");
  const done = lab.run(`on b ${process.execPath} -e "${flood}"`);
  await done;
  await lab.run(`svc a late "Late" _mqttdev._tcp 7 x=y`);
  await published("Late");
  assert.not.ok(events.some(({ event }) => event === "unpublish"));
});

avahi("a withdrawn service disappears, but not before 2.5 s have passed", async () => {
  const { id } = await published("Late");
  forget();
  const beganMs = performance.now();
  await lab.run("unsvc a late");
  const { atMs } = await withdrawn(id);
  assert.ok(atMs - beganMs > 2400, `${atMs - beganMs} ms`);
});

avahi("everything is found through the meta-query, with several types", async () => {
  await stopGateway();
  await lab.run(`svc a web "Web" _http._tcp 80 path=/`);
  await startGateway({ scope: "lab", types: "all", interfacePollSeconds: 0.5 });
  assert.equal((await published("Web")).properties["mdns.type"], ["_http._tcp"]);
  await published("Lamp");
});

avahi("a second interface merges into the same service, and leaves it again", async () => {
  const { id } = await published("Web");
  await lab.run("attach g eth1 br1 10.78.0.1; attach a eth1 br1 10.78.0.2");
  const both = await published("Web", ({ properties }) => properties["mdns.interface"].length === 2, 10_000);
  assert.is(both.id, id);
  assert.equal(both.properties.addr, ["10.77.0.2", "10.78.0.2"]);
  forget();
  await lab.run("on g ip link del eth1");
  const one = await published("Web", ({ properties }) => properties["mdns.interface"].length === 1);
  assert.equal(one.properties.addr, ["10.77.0.2"]);
  assert.not.ok(events.some(({ event }) => event === "unpublish"));
});

avahi("an interface that is deleted and created anew with its address is used again", async () => {
  forget();
  await lab.run("on g ip link del eth0; attach g eth0 br0 10.77.0.1");
  await lab.run(`svc a again "Again" _http._tcp 81 x=1`);
  await published("Again", undefined, 10_000);
});

avahi("a host with IPv6 only appears, with the address of this link", async () => {
  forget();
  await lab.run("avahi_start b use-ipv4=no use-ipv6=yes");
  await lab.run(`svc b six "Six" _http._tcp 86 x=6`);
  const { properties } = await published("Six", undefined, 10_000);
  assert.match(String(properties.addr), /^fe80::[0-9a-f:]+%eth0$/);
});

avahi("IPv4 and IPv6 of one host are one service", async () => {
  await lab.run("on b ip addr add fd77::3/64 dev eth0 nodad; on g ip addr add fd77::1/64 dev eth0 nodad; avahi_stop b");
  forget();
  await lab.run("avahi_start b use-ipv4=yes use-ipv6=yes");
  const { id } = await published("Six", ({ properties }) => properties.addr.length === 2, 10_000);
  const all = events.filter((event) => event.event === "publish" && event.properties.name[0] === "Six");
  assert.ok(all.every((event) => event.id === id));
  assert.equal(all.at(-1)!.properties.addr, ["10.77.0.3", "fd77::3"]);
});

avahi("beside an avahi-daemon on the same host: its services appear, and unicast stays with it", async () => {
  await lab.run("avahi_start g");
  forget();
  await lab.run(`svc g local "Local" _http._tcp 88 x=1`);
  await published("Local");
  // A one-shot query (RFC 6762, 5.1) for the PTR records of _http._tcp.local, sent to the host itself.
  const query = "000100000001000000000000055f68747470045f746370056c6f63616c00000c0001";
  const ask = `const s=require('dgram').createSocket('udp4');s.on('message',(m)=>{console.log('answers: '+m.readUInt16BE(6));s.close()});
    s.send(Buffer.from('${query}','hex'),5353,'10.77.0.1');setTimeout(()=>process.exit(1),5000).unref()`;
  assert.match(await lab.run(`on a ${process.execPath} -e "${ask.replace(/\n\s*/g, "")}"`), /answers: [1-9]/);
});

avahi("a killed host runs out without a goodbye (life of records cut to 3 s)", async () => {
  await stopGateway();
  await startGateway({ scope: "lab", types: ["_http._tcp"], maxTtlSeconds: 3 });
  const { id } = await published("Six");
  await published("Web");
  // While it lives it is kept by asking: no withdrawal during three of its lives.
  await new Promise((resolve) => setTimeout(resolve, 7000));
  assert.not.ok(events.some(({ event }) => event === "unpublish"));
  const beganMs = performance.now();
  await lab.run("avahi_stop b KILL");
  const { atMs } = await withdrawn(id, 8000);
  assert.ok(atMs - beganMs > 1500, `${atMs - beganMs} ms`);
  assert.is(events.filter(({ event }) => event === "unpublish").length, 1, "the other host's services stay");
});

avahi("it stops at once and leaves nothing behind that keeps the process alive", async () => {
  await stopGateway();
});

if (missing === undefined || process.env.CI === "true") avahi.run();
else {
  console.log(`skipped: the mDNS gateway against avahi (${missing})`);
  const skipped = suite("avahi");
  skipped.skip("the mDNS gateway against avahi", () => {});
  skipped.run();
}
