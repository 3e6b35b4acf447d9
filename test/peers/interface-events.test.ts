/** Interfaces and addresses that come and go are noticed because the kernel tells: here nobody looks for an hour. */

import { rmSync } from "node:fs";
import { suite } from "uvu";
import { missingForLab } from "./lab.js";
import { buildOutboundDriver, MdnsLab, OUTBOUND_DRIVER } from "./mdns-lab.js";

const events = suite("interface events");
const missing = missingForLab();
let lab: MdnsLab;

events.before(async () => {
  await buildOutboundDriver();
  lab = await MdnsLab.start("host g 1");
});
events.before.each(() => lab.gateway("g", { publish: [], interfacePollSeconds: 3600 }));
events.after.each(() => lab.end("g"));
events.after(async () => {
  await lab.stop();
  rmSync(OUTBOUND_DRIVER, { force: true });
});

/** Runs commands on the host; resolves when the gateway has said this. */
async function says(text: string, ...commands: string[]): Promise<void> {
  const before = lab.events.length;
  for (const command of commands) await lab.run(command);
  await lab.seen(text, (event) => event.event === "log" && event.text === text, before);
}

const BARE = "attach_bare g eth1 br1";
const COMES = "mdns: browsing on eth1.";
const GOES = "mdns: eth1 is gone.";

events("a port of a bridge is left out: the bridge hears and speaks", async () => {
  await says(COMES, BARE, "on g ip addr add fd00:78::1/64 dev eth1 nodad");
  await lab.run(
    "on g ip link add lan0 type bridge && on g ip link set lan0 addrgenmode none && on g ip link set lan0 up",
  );
  await says("mdns: browsing on lan0.", "on g ip addr add 10.78.0.1/24 dev lan0");
  await says(GOES, "on g ip link set eth1 master lan0");
  await says("mdns: lan0 is gone.", "on g ip link del lan0 && on g ip link del eth1");
});

events("an address is added and removed, IPv4 and IPv6", async () => {
  await says(COMES, BARE, "on g ip addr add 10.78.0.1/24 dev eth1");
  await says(GOES, "on g ip addr del 10.78.0.1/24 dev eth1");
  await says(COMES, "on g ip addr add fd00:78::1/64 dev eth1 nodad");
  await says(GOES, "on g ip addr del fd00:78::1/64 dev eth1");
  await says(COMES, "on g ip addr add 10.78.0.1/24 dev eth1");
});

events("an interface goes down and up", async () => {
  await says(GOES, "on g ip link set eth1 down");
  await says(COMES, "on g ip link set eth1 up");
});

events("an interface is deleted and created anew", async () => {
  await says(GOES, "on g ip link del eth1");
  await says(COMES, BARE, "on g ip addr add 10.78.0.1/24 dev eth1");
});

events("an interface is replaced faster than anybody looks", async () => {
  const commands = ["on g ip link del eth1", BARE, "on g ip addr add 10.78.0.1/24 dev eth1"].join(" && ");
  const before = lab.events.length;
  await says(GOES, commands); // the new one is opened before
  await lab.seen(COMES, ({ text }) => text === COMES, before);
});

if (missing === undefined || process.env.CI === "true") events.run();
else {
  console.log(`skipped: interfaces that come and go (${missing})`);
  const skipped = suite("interface events");
  skipped.skip("interfaces that come and go", () => {});
  skipped.run();
}
