/** The gateway against a real mosquitto, with the clock of the gateway 20 times as fast. */

import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import * as assert from "uvu/assert";
import type { Gateway } from "../../../src/gateway/gateway.js";
import { type MqttGatewayOptions, mqttGateway } from "../../../src/gateway/mqtt/gateway.js";
import { serviceId } from "../../../src/gateway/mqtt/topics.js";
import { Mosquitto, type MosquittoOptions, mosquittoSuite } from "../../peers/mosquitto.js";
import { FastClock, keptLog, RecordingDirectory } from "./recording-directory.js";

const { test, check } = mosquittoSuite("mqtt gateway and mosquitto");

const SPEED = 20;
const open: { end(): Promise<void> }[] = [];

test.after.each(async () => {
  for (const one of open.splice(0).reverse()) await one.end();
});

async function broker(options?: MosquittoOptions): Promise<Mosquitto> {
  const mosquitto = await Mosquitto.started(options);
  open.push(mosquitto);
  return mosquitto;
}

function started(options: MqttGatewayOptions, directory = new RecordingDirectory(), speed = SPEED, version: 4 | 5 = 5) {
  const log = keptLog(() => directory.look());
  const clock = new FastClock(speed);
  const gateway: Gateway = mqttGateway(options, { directory, clock, timers: clock, random: Math.random, log });
  if (version === 4)
    Object.assign((gateway as unknown as { connection: { protocol: object } }).connection.protocol, {
      current: version,
      fiveRefused: true,
    });
  gateway.start();
  const stop = () => gateway.stop();
  open.push({ end: stop });
  const logged = (pattern: RegExp, count = 1, limitMs = 20_000) =>
    directory.until(`log line ${pattern}`, () => log.count(pattern) >= count, limitMs);
  const connected = (count = 1) => logged(/: connected/, count);
  return { gateway, directory, log, logged, connected, stop };
}

const url = ({ host, port }: Mosquitto) => `mqtt://${host}:${port}`;

function killed(device: ChildProcess): Promise<unknown> {
  const exited = once(device, "exit");
  device.kill("SIGKILL");
  return exited;
}

check("announce, update, withdraw", async () => {
  const mosquitto = await broker();
  const { directory, connected, log } = started({ url: url(mosquitto), site: "lab" });
  await connected();
  await mosquitto.publish("sd1/s/a1b2", "1");
  await mosquitto.publish("sd1/a/a1b2", "lamp;600;room=kitchen;fw#3;url=coap://10.0.0.17");
  await directory.until("a1b2 appears", () => directory.device("a1b2") !== undefined);
  const first = directory.device("a1b2")!;
  assert.is(first.id, serviceId("lab", "a1b2"));
  assert.is(first.ttlSeconds, 600n);
  assert.equal(Object.fromEntries(first.properties), {
    room: ["kitchen"],
    fw: [3n],
    url: ["coap://10.0.0.17"],
    name: ["a1b2"],
    kind: ["lamp"],
    "mqtt.device": ["a1b2"],
    src: ["mqtt:lab"],
  });
  await mosquitto.publish("sd1/a/a1b2", '{"k":"lamp","ttl":900,"p":{"room":"cellar","name":"Lamp"}}');
  await directory.until("a1b2 changes", () => directory.device("a1b2")?.ttlSeconds === 900n);
  const second = directory.device("a1b2")!;
  assert.ok(second.generation > first.generation);
  assert.equal(second.properties.get("name"), ["Lamp"]);
  assert.equal(second.properties.get("room"), ["cellar"]);
  await mosquitto.publish("sd1/a/a1b2", "");
  await directory.until("a1b2 disappears", () => directory.services.size === 0);
  assert.equal(directory.history, ["appeared a1b2", "modified a1b2", "disappeared a1b2"]);
  assert.is(log.count(/^(warning|error)/), 0, log.lines.join("\n"));
});

for (const version of [4, 5] as const) {
  check(`a giant that the broker keeps costs nobody else anything, MQTT ${version === 4 ? "3.1.1" : "5"}`, async () => {
    const mosquitto = await broker();
    await mosquitto.publish("sd1/a/giant", Buffer.alloc(3_000_000, "x"));
    await mosquitto.publish("sd1/a/large", Buffer.alloc(1_048_000, "x"));
    await mosquitto.publish("sd1/a/lamp1", "lamp;600");
    const { gateway, directory, connected, log } = started({ url: url(mosquitto) }, undefined, SPEED, version);
    await connected();
    await directory.until("lamp1 appears", () => directory.device("lamp1") !== undefined);
    await mosquitto.publish("sd1/a/giant", Buffer.alloc(2_000_000, "y"), { retain: false });
    await mosquitto.publish("sd1/a/lamp2", "lamp;600");
    await directory.until("lamp2 appears", () => directory.device("lamp2") !== undefined);
    await mosquitto.publish("sd1/a/giant", "giant;600");
    await directory.until("it becomes sensible", () => directory.device("giant") !== undefined);
    assert.is(log.count(/connection lost|cannot connect/), 0, log.lines.join("\n"));
    assert.is(log.count(/: connected \(MQTT (3\.1\.1|5)\)/), 1);
    // with MQTT 5 mosquitto knows what we take, and leaves the giants out itself
    const [told, leftOut] = version === 4 ? [1, 2] : [0, undefined];
    assert.is(log.count(/ignored a message of 3000018 bytes on topic "sd1\/a\/giant"/), told, log.lines.join("\n"));
    assert.is(gateway.state().dropped["message larger than 1 MiB"], leftOut);
    assert.is(log.count(/sd1\/a\/large/), 1, "what is accepted is read, and found to be malformed");
  });
}

check("a device is killed: withdrawn after the grace, or left as an orphan; who is back in time stays", async () => {
  const mosquitto = await broker();
  const { directory, connected } = started({ url: url(mosquitto), onLossOfKind: { valve: "orphan" } });
  await connected();
  const devices = new Map<string, ChildProcess>();
  for (const name of ["lamp1", "valve1", "back1"]) {
    devices.set(name, await mosquitto.device(name));
    await mosquitto.publish(`sd1/s/${name}`, "1");
    await mosquitto.publish(`sd1/a/${name}`, `${name.slice(0, -1)};600`);
  }
  await directory.until("all appear", () => directory.services.size === 3);
  for (const device of devices.values()) await killed(device);
  await mosquitto.publish("sd1/s/back1", "1");
  await directory.until("lamp1 goes", () => directory.history.includes("disappeared lamp1"));
  await directory.until("valve1 is an orphan", () => directory.device("valve1")?.orphanSince !== undefined);
  assert.ok(directory.device("back1"));
  await mosquitto.publish("sd1/s/valve1", "1");
  await directory.until("valve1 is back", () => directory.device("valve1")?.orphanSince === undefined);
  assert.not.ok(directory.history.includes("disappeared back1"));
});

check("what the broker kept is adopted by a new gateway, under the same ids, unless its state is 0", async () => {
  const mosquitto = await broker();
  for (const [name, state] of [
    ["up", "1"],
    ["down", "0"],
    ["silent", ""],
    ["asleep", "z100"],
  ]) {
    await mosquitto.publish(`sd1/a/${name}`, `lamp;86400;of=${name}`);
    if (state) await mosquitto.publish(`sd1/s/${name}`, state);
  }
  const first = started({ url: url(mosquitto) });
  await first.directory.until("three appear", () => first.directory.services.size === 3);
  const before = new Map(first.directory.services);
  await first.stop();
  assert.is(first.directory.services.size, 3, "stopping withdraws nothing");
  // a new process, the same directory: the generation must not be refused as old
  const second = started({ url: url(mosquitto) }, first.directory, 3 * SPEED);
  await second.connected();
  await mosquitto.publish("sd1/a/up", "lamp;86400;of=changed");
  await second.directory.until(
    "a change",
    () => second.directory.device("up")?.properties.get("of")?.[0] === "changed",
  );
  assert.equal(new Set(second.directory.services.keys()), new Set(before.keys()));
  assert.ok(second.directory.device("up")!.generation > before.get(second.directory.device("up")!.id)!.generation);
  assert.not.ok(second.directory.history.some((change) => change.startsWith("disappeared")));
  assert.is(second.directory.device("down"), undefined);
  // provisional ones go after 600 s (10 s of ours), the sleeper after 150 s
  await second.directory.until("the sleeper goes", () => second.directory.device("asleep") === undefined);
  assert.ok(second.directory.device("silent"));
  await second.directory.until("the silent one goes", () => second.directory.device("silent") === undefined);
  assert.ok(second.directory.device("up"), "it was heard live");
});

for (const persistence of [false, true]) {
  for (const signal of ["SIGKILL", "SIGTERM"] as const) {
    check(`broker ends by ${signal}, ${persistence ? "with" : "without"} persistence: nothing disappears`, async () => {
      const mosquitto = await broker({ persistence });
      const { directory, connected, log, logged } = started({ url: url(mosquitto) });
      await connected();
      const names = ["d1", "d2", "d3"];
      const devices: ChildProcess[] = [];
      const present = async () => {
        for (const name of names) {
          devices.push(await mosquitto.device(name));
          await mosquitto.publish(`sd1/s/${name}`, "1");
          await mosquitto.publish(`sd1/a/${name}`, "lamp;600");
        }
      };
      await present();
      await directory.until("all appear", () => directory.services.size === 3);
      await mosquitto.kill(signal);
      // mosquitto_sub would come back by itself, but without saying 1
      for (const device of devices.splice(0)) await killed(device);
      await logged(/connection lost/);
      await mosquitto.start();
      await connected(2);
      await present();
      await mosquitto.publish("sd1/a/marker", "lamp;600"); // what comes before it has been heard
      await directory.until("the marker appears", () => directory.device("marker") !== undefined);
      // a device that does not return is missed after settling and grace
      await mosquitto.publish("sd1/s/d3", "0");
      await directory.until("d3 goes", () => directory.device("d3") === undefined);
      assert.equal(
        directory.history.filter((change) => !change.startsWith("modified")),
        [...names.map((name) => `appeared ${name}`), "appeared marker", "disappeared d3"],
      );
      assert.is(log.count(/connection lost/), 1);
      assert.ok(log.count(/^warning/) <= 2, log.lines.join("\n"));
    });
  }
}

check("a hung broker is noticed by keep-alive, and nothing disappears", async () => {
  const mosquitto = await broker();
  const { directory, connected, logged } = started({ url: url(mosquitto), keepaliveSeconds: 5 });
  await connected();
  await mosquitto.publish("sd1/a/d1", "lamp;600");
  await directory.until("d1 appears", () => directory.services.size === 1);
  mosquitto.freeze();
  await logged(/connection lost: Keepalive timeout/, 1, 15_000);
  mosquitto.thaw();
  await connected(2);
  await mosquitto.publish("sd1/a/d1", "lamp;600;x=y");
  await directory.until("d1 changes", () => directory.history.includes("modified d1"));
  assert.equal(directory.history, ["appeared d1", "modified d1"]);
});

check("TLS, client certificate, user and password", async () => {
  const login = { user: "gateway", password: "pa55 w#rd" };
  const mosquitto = await broker({ secure: { ...login, clientCertificates: true } });
  const files = { ca: mosquitto.path("ca.pem"), cert: mosquitto.path("client.pem"), key: mosquitto.path("client.key") };
  const secure = `mqtts://localhost:${mosquitto.port}`;
  writeFileSync(mosquitto.path("pw"), `${login.password}\n`);
  const good = [
    started({ url: secure, ...login, tls: files, clientId: "one" }),
    started({
      url: url(mosquitto).replace("mqtt:", "mqtts:"),
      user: login.user,
      passwordFile: mosquitto.path("pw"),
      tls: files,
      clientId: "two",
    }),
    started({
      url: secure,
      ...login,
      tls: { ...files, ca: mosquitto.path("other-ca.pem"), insecure: true },
      clientId: "three",
    }),
  ];
  for (const { connected } of good) await connected();
  await mosquitto.publish("sd1/a/d1", "lamp;600");
  for (const { directory } of good) await directory.until("d1 appears", () => directory.services.size === 1);
  assert.is(good[2].log.count(/certificate is not checked/), 1);

  for (const [options, expected] of [
    [{ ...login, password: "wr0ng!", tls: files }, /cannot connect: Connection refused: Not authorized/],
    [{ ...login, tls: { ...files, ca: mosquitto.path("other-ca.pem") } }, /cannot connect: .*(certificate|issuer)/i],
    [{ ...login, tls: { cert: files.cert, key: files.key } }, /cannot connect: .*certificate/i],
    [{ ...login, tls: { ca: mosquitto.path("no-such.pem") } }, /cannot connect: ENOENT.*no-such\.pem/],
    [{ user: "gateway", passwordFile: mosquitto.path("no-such-pw"), tls: files }, /cannot connect: ENOENT.*no-such-pw/],
    [{ ...login, tls: { ca: files.ca } }, /cannot connect|connection lost/],
  ] as const) {
    const bad = started({ url: secure, clientId: "bad", ...options });
    await bad.logged(expected);
    assert.is(bad.log.count(/pa55|wr0ng/), 0, bad.log.lines.join("\n"));
    assert.is(bad.log.count(/: connected/), 0, bad.log.lines.join("\n"));
    await bad.stop();
  }
});

check("garbage costs nothing but a warning a minute", async () => {
  const mosquitto = await broker();
  const { directory, connected, log } = started({ url: url(mosquitto), maxDevices: 50 });
  await connected();
  await mosquitto.publish("sd1/a/good", "lamp;600");
  const garbage: [string, Buffer][] = [
    ["sd1/a/x", Buffer.alloc(4097, "x")],
    ["sd1/a/x", Buffer.alloc(200_000, "{")],
    ["sd1/a/x", Buffer.from([0xff, 0xfe, 0x00])],
    ["sd1/a/x", Buffer.from("{")],
    ["sd1/s/x", Buffer.from("what?")],
    ["sd1/s/x", Buffer.alloc(5000, "z")],
    ["sd1/a/no such name!", Buffer.from("lamp;600")],
    ["sd1/a/mine", Buffer.from("lamp;600;src=evil;room=a")],
    ["sd1/a/mirrored", Buffer.from("lamp;600;sdid=5f3a")],
  ];
  for (const [topic, payload] of garbage) await mosquitto.publish(topic, payload);
  await mosquitto.publish("sd1/a/mirrored5", "lamp;600", {
    args: ["-V", "5", "-D", "publish", "user-property", "sdid", "5f3a"],
  });
  await mosquitto.publish("sd1/a/good", "lamp;600;still=here");
  await directory.until("the good one changes", () => directory.history.includes("modified good"));
  // the first publish of a service asks the directory before, so those of two services may overtake each other
  await directory.until("the other appears", () => directory.history.includes("appeared mine"));
  assert.equal([...directory.history].sort(), ["appeared good", "appeared mine", "modified good"]);
  assert.equal(directory.device("mine")?.properties.get("src"), ["mqtt:local"]);
  assert.is(log.count(/^warning MQTT topic "sd1\/a\/x" ignored: 4097 bytes \(at most 4096 allowed\)\.$/), 1);
  assert.is(log.count(/^(warning|error)/), 1, log.lines.join("\n"));
  // more than a megabyte: the broker may not send it (MQTT 5), or the connection is made anew
  await mosquitto.publish("sd1/a/giant", Buffer.alloc(1_100_000, "x"));
  await mosquitto.publish("sd1/a/good", "lamp;600;still=alive");
  await directory.until(
    "the good one changes",
    () => directory.device("good")?.properties.get("still")?.[0] === "alive",
  );
  assert.is(directory.device("mine") !== undefined, true);
});

check("a flood of names fills the table and harms nobody in it", async () => {
  const mosquitto = await broker();
  const { directory, connected, logged } = started({ url: url(mosquitto), maxDevices: 3 });
  await connected();
  for (const name of ["a", "b", "c", "d", "e"]) await mosquitto.publish(`sd1/a/${name}`, "lamp;600");
  await mosquitto.publish("sd1/a/a", "lamp;600;still=here");
  await directory.until("a changes", () => directory.history.includes("modified a"));
  await logged(/"sd1\/a\/d" ignored: the limit of devices is reached/);
  assert.equal(directory.history, ["appeared a", "appeared b", "appeared c", "modified a"]);
});

check("5,000 kept announcements arrive complete", async () => {
  const mosquitto = await broker();
  const { default: mqtt } = await import("mqtt");
  const loader = await mqtt.connectAsync(url(mosquitto));
  const sent: Promise<unknown>[] = [];
  for (let n = 0; n < 5000; n++) {
    sent.push(loader.publishAsync(`sd1/a/dev${n}`, `lamp;600;room=r${n};fw#${n}`, { retain: true, qos: 1 }));
    sent.push(loader.publishAsync(`sd1/s/dev${n}`, n % 10 === 0 ? "0" : "1", { retain: true, qos: 1 }));
  }
  await Promise.all(sent);
  await loader.endAsync();
  const { directory } = started({ url: url(mosquitto) });
  await directory.until("4,500 appear", () => directory.services.size === 4500);
  assert.is(directory.history.length, 4500, "those whose state is 0 never appeared");
});

check("clear_stale removes what the broker keeps of who is long gone, and only that", async () => {
  const mosquitto = await broker();
  await mosquitto.publish("sd1/s/old", "0");
  await mosquitto.publish("sd1/a/old", "lamp;60");
  const careful = started({ url: url(mosquitto), clientId: "careful" }, undefined, 1000);
  await careful.connected();
  const cleaning = started({ url: url(mosquitto), clientId: "cleaning", clearStale: true }, undefined, 1000);
  await cleaning.logged(/clearing what the broker keeps of old/);
  const third = started({ url: url(mosquitto), clientId: "third" });
  await third.connected();
  await mosquitto.publish("sd1/s/old", "1", { retain: false });
  await mosquitto.publish("sd1/a/new", "lamp;600");
  await third.directory.until("new appears", () => third.directory.services.size > 0);
  assert.equal(third.directory.history, ["appeared new"]);
});

check("clear_stale waits for a broker that takes nothing, and clears nothing that was said meanwhile", async () => {
  const mosquitto = await broker();
  for (const name of ["old", "back"]) {
    await mosquitto.publish(`sd1/s/${name}`, "0");
    await mosquitto.publish(`sd1/a/${name}`, "lamp;60");
  }
  const cleaning = started({ url: url(mosquitto), clientId: "cleaning", clearStale: true }, undefined, 1000);
  const { connection } = cleaning.gateway as unknown as { connection: { publish: (...args: unknown[]) => string } };
  const publish = connection.publish.bind(connection);
  let refused = 0;
  connection.publish = () => {
    refused++;
    return "not-connected";
  };
  for (const name of ["old", "back"]) await cleaning.logged(new RegExp(`clearing what the broker keeps of ${name}`));
  await mosquitto.publish("sd1/s/back", "1");
  await mosquitto.publish("sd1/a/back", "lamp;86400");
  await cleaning.directory.until("it is back", () => cleaning.directory.history.includes("appeared back"));
  assert.ok(refused > 0);
  const { default: mqtt } = await import("mqtt");
  const witness = await mqtt.connectAsync(url(mosquitto), { protocolVersion: 5 });
  open.push({ end: () => witness.endAsync() });
  const expiry: (number | undefined)[] = [];
  const cleared = new Promise<void>((resolve) => {
    const left = new Set(["sd1/a/old", "sd1/s/old"]);
    witness.on("message", (topic, payload, { properties }) => {
      if (payload.length > 0) return;
      expiry.push(properties?.messageExpiryInterval);
      left.delete(topic);
      if (left.size === 0) resolve();
    });
  });
  await witness.subscribeAsync("sd1/+/old");
  connection.publish = publish;
  await cleared;
  assert.ok(
    expiry.every((seconds) => seconds! <= 60),
    `a bridge that is mended hands nothing on after ${expiry} s`,
  );
  const third = started({ url: url(mosquitto), clientId: "third" });
  await third.connected();
  await third.directory.until("what is kept", () => third.directory.history.length > 0);
  assert.equal(third.directory.history, ["appeared back"]);
});

check("two gateways with one client id throw each other out: the log says so", async () => {
  const mosquitto = await broker();
  const one = started({ url: url(mosquitto), clientId: "same" });
  await one.connected();
  started({ url: url(mosquitto), clientId: "same" });
  await one.logged(/connection lost: .* \(perhaps another client uses the client id "same"\)/);
});

test.run();
