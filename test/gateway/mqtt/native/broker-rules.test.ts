/** What the broker itself enforces or does: access rules with passwords and TLS, MQTT 5 requests, bridges, limits. */

import { readFileSync } from "node:fs";
import { join } from "node:path";
import * as assert from "uvu/assert";
import { properties } from "../../../../src/core/properties.js";
import { Mosquitto } from "../../../peers/mosquitto.js";
import { root } from "../../../support/root.js";
import { brokerSiteSuite } from "./broker-site.js";

const { test, check, open, start } = brokerSiteSuite("native convention: access, requests, bridges");

/** A block of the page, so that what is printed there is what is tested. */
function documented(language: string): string {
  const page = readFileSync(join(root, "docs/conventions/native.md"), "utf8");
  return page.split(`\`\`\`${language}\n`)[1].split("```")[0];
}

check("TLS, passwords and the documented access rules: a device does what it may, and no more", async () => {
  const devices = { lamp1: "lamp-pw", peer: "peer-pw", rogue: "rogue-pw" };
  const { mosquitto, site } = await start({
    secure: { user: "gateway", password: "gw-pw", others: { ...devices, watcher: "w-pw" } },
    acl: `${documented("acl")}\nuser watcher\ntopic read #\n`,
  });
  const ca = readFileSync(mosquitto.path("ca.pem"));
  const micro = (device: keyof typeof devices) =>
    site.device(mosquitto, { device, ca, user: device, password: devices[device] });
  const gateway = site.gateway({
    url: `mqtts://localhost:${mosquitto.port}`,
    tls: { ca: mosquitto.path("ca.pem") },
    ...{ user: "gateway", password: "gw-pw", mirror: [{}], queries: {}, presence: { name: "attic" } },
  });
  await gateway.logged(/1 gateway here/);
  const observer = await site.observer(mosquitto, { ca, user: "watcher", password: "w-pw" }, "sd1/#");

  const lamp = await micro("lamp1");
  lamp.announce("lamp;600;room=kitchen");
  await site.until("lamp1 appears", () => site.history.includes("appeared lamp1"));
  const peer = await micro("peer");
  assert.match((await peer.peerByMirror("lamp")).payload, /room=kitchen$/);
  assert.is((await peer.ask("(k=lamp)", 1)).length, 1);

  const rogue = await micro("rogue");
  for (const topic of ["sd1/r/lamp1", "sd1/r/#", "sd1/q/+", "sd1/a/+", "sd1/g/+"]) await rogue.subscribe(topic);
  for (const [topic, payload] of [
    ["sd1/a/lamp1", "lamp;600;room=stolen"],
    ["sd1/s/lamp1", "0"],
    ["sd1/a/other", "lamp;600"],
    ["sd1/q/peer", "1;8;(k=*)"],
    ["sd1/r/peer", "1;1/1;evil"],
    ["sd1/m/lamp/00000000000000aa", "1;600;evil=1"],
    ["sd1/g/attic", "0"],
  ]) {
    rogue.publish(topic, payload, topic !== "sd1/q/peer");
  }
  rogue.announce("valve;600;last=1"); // whatever was sent before has been judged
  await site.until("the rogue appears", () => site.history.includes("appeared rogue"));
  assert.is((await peer.ask("(k=valve)", 1)).length, 1);
  await observer.until("all is mirrored", () => observer.kept("sd1/m/valve/").size === 1);
  assert.equal([...site.history].sort(), ["appeared lamp1", "appeared rogue"]);
  const written = new Set(observer.client.received.map(({ topic }) => topic.split("/").slice(0, 3).join("/")));
  assert.equal(
    [...written].sort(),
    ["a/lamp1", "a/rogue", "g/attic", "m/lamp", "m/valve", "q/peer", "r/peer", "s/lamp1", "s/rogue"].map(
      (topic) => `sd1/${topic}`,
    ),
  );
  assert.not.ok(observer.client.received.some(({ payload }) => /evil|stolen/.test(payload)));
  assert.equal(rogue.received, [], "it hears nothing that is for others");
  for (const [user, password] of [
    ["lamp1", "wrong"],
    ["nobody", "x"],
  ]) {
    let refused = "";
    await site.device(mosquitto, { device: "lamp1", ca, user, password }).catch((error) => {
      refused = error.message;
    });
    assert.match(refused, /connection refused, code 5/);
  }
});

check("MQTT 5: request and response with correlation data; expiry on mirrors and replies", async () => {
  const { site, url } = await start();
  const gateway = site.gateway({ url, mirror: [{}], queries: {}, presence: { name: "attic" } });
  await site.directory().publish({
    ...{ id: 5n, generation: 7n, ttlSeconds: 600n },
    properties: properties({ kind: "lamp", room: "kitchen" }),
  });
  await gateway.logged(/1 gateway here/);
  const { default: mqtt } = await import("mqtt");
  const client = await mqtt.connectAsync(url, { protocolVersion: 5 });
  open.push({ end: () => client.endAsync(true) });
  const heard: { topic: string; payload: string; correlation?: string; expiry?: number; names: string[] }[] = [];
  const waiting = new Set<() => void>();
  client.on("message", (topic, payload, { properties: more }) => {
    heard.push({
      ...{ topic, payload: payload.toString(), names: Object.keys(more?.userProperties ?? {}) },
      ...(more?.correlationData ? { correlation: more.correlationData.toString("hex") } : {}),
      ...(more?.messageExpiryInterval === undefined ? {} : { expiry: more.messageExpiryInterval }),
    });
    for (const look of waiting) look();
  });
  const until = (count: number) =>
    new Promise<void>((resolve, reject) => {
      const limit = setTimeout(() => reject(new Error(JSON.stringify(heard))), 10_000);
      const look = () => {
        if (heard.length < count) return;
        clearTimeout(limit);
        resolve();
      };
      waiting.add(look);
      look();
    });
  await client.subscribeAsync(["sd1/r/#", "foreign/#"]);
  const ask = (responseTopic: string, correlation: string) =>
    client.publishAsync("sd1/q/x7", "3;(k=lamp)", {
      properties: { responseTopic, correlationData: Buffer.from(correlation, "hex") },
    });
  await ask("foreign/tree", "aa");
  await ask("sd1/r/x7", "00ff07");
  await until(1);
  await client.publishAsync("sd1/q/x7", "9;1;(k=none)");
  await until(2);
  assert.equal(heard, [
    {
      topic: "sd1/r/x7",
      payload: "1/1;0000000000000005;lamp;600;room=kitchen",
      names: [],
      correlation: "00ff07",
      expiry: 30,
    },
    { topic: "sd1/r/x7", payload: "9;0/0", names: [], expiry: 30 },
  ]);
  assert.equal(gateway.gateway.state().dropped["foreign-response-topic"], 1);
  assert.is(gateway.gateway.state().counts.answered, 2);
  await client.subscribeAsync("sd1/m/#");
  await until(3);
  assert.is(heard[2].payload, "7;600;room=kitchen");
  assert.ok(heard[2].expiry! > 1100 && heard[2].expiry! <= 1200, String(heard[2].expiry));
});

check("a bridged broker: its devices are found, and find", async () => {
  const far = await Mosquitto.started();
  open.push(far);
  const bridge = documented("bridge").replace(/^address .*$/m, `address ${far.host}:${far.port}`);
  const { mosquitto, site, url } = await start({ lines: [...bridge.trim().split("\n"), "restart_timeout 1"] });
  site.gateway({ url, mirror: [{}], queries: {}, presence: { name: "attic" } });
  const near = await site.device(mosquitto, { device: "near" });
  near.announce("lamp;600;room=kitchen");
  const distant = await site.device(far, { device: "distant" });
  distant.announce("valve;600;room=hall");
  await site.until("the distant one appears", () => site.history.includes("appeared distant"));
  assert.match((await distant.ask("(k=lamp)", 1))[0], /room=kitchen$/);
  assert.match((await near.ask("(k=valve)", 1))[0], /room=hall$/);
  distant.die();
  await site.until("it goes", () => site.history.includes("disappeared distant"));
  const there = await site.observer(far);
  await far.publish("end", "1");
  await there.until("the end", () => there.client.received.some(({ topic }) => topic === "end"));
  assert.is(there.kept("sd1/m/").size, 0, "the mirror stays on its side");
});

check("no poison: what is larger than the broker takes is not sent, and the connection lives", async () => {
  for (const version of [4, 5] as const) {
    const { mosquitto, site, url } = await start({ lines: ["max_packet_size 200"] });
    const gateway = site.gateway(
      {
        url,
        mirror: [{}],
        maxPacketBytes: 1000,
        presence: { name: "attic" },
        ...(version === 4 ? { brokerMaxPacketBytes: 200 } : {}),
      },
      { version },
    );
    const local = site.directory();
    const service = (id: bigint, text: string) => ({
      ...{ id, generation: 1n, ttlSeconds: 60n },
      properties: properties({ kind: "lamp", text }),
    });
    await local.publish(service(1n, "x".repeat(300)));
    await local.publish(service(2n, "small"));
    const observer = await site.observer(mosquitto);
    await observer.until("the small one", () => observer.kept("sd1/m/").size === 1);
    assert.ok(gateway.gateway.state().dropped["mirror-too-large-for-broker"] >= 1);
    assert.is(gateway.log.count(/connection lost/), 0, gateway.log.lines.join("\n"));
    await site.end();
  }
});

check("a gateway that may not write its presence, or not read it, says so", async () => {
  for (const right of ["read", "write"]) {
    const { mosquitto, site } = await start({
      secure: { user: "gateway", password: "gw-pw" },
      acl: `user gateway\ntopic ${right} sd1/#\n`,
    });
    const gateway = site.gateway({
      url: `mqtts://localhost:${mosquitto.port}`,
      tls: { ca: mosquitto.path("ca.pem") },
      ...{ user: "gateway", password: "gw-pw", presence: { name: "attic" } },
    });
    await gateway.logged(/what this gateway writes to sd1\/g\/attic does not come back/);
    assert.match(gateway.gateway.state().lastError?.text ?? "", /is it allowed to write there, and to read\?/);
    assert.is(gateway.gateway.state().state, "running");
  }
});

check("a stray presence that the broker keeps puts a gateway on standby for three minutes, not for ever", async () => {
  const { mosquitto, site, url } = await start();
  await mosquitto.publish("sd1/g/ghost", "1;255;1795000000");
  const gateway = site.gateway({ url, presence: { name: "attic" } });
  await gateway.logged(/2 gateways here; acting: ghost/);
  await gateway.logged(/gateway "ghost" is not there/);
  await gateway.logged(/1 gateway here; acting: attic/);
  assert.is(gateway.gateway.state().lastError, undefined, "its own word came back");
});

test.run();
