import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { connectAsync, type IClientOptions, type MqttClient } from "mqtt";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { type EmbeddedBroker, startEmbeddedBroker } from "../../src/daemon/embedded-broker.js";
import { mqttGateway } from "../../src/gateway/mqtt/gateway.js";
import { FastClock, keptLog, RecordingDirectory } from "../gateway/mqtt/recording-directory.js";

const test = suite("embedded broker");
const open: (() => Promise<unknown>)[] = [];

test.after.each(async () => {
  for (const end of open.splice(0).reverse()) await end();
});

async function started() {
  const log = keptLog();
  const broker: EmbeddedBroker = await startEmbeddedBroker({ host: "127.0.0.1", port: 0, log });
  open.push(() => broker.close());
  const client = async (options: IClientOptions = {}): Promise<MqttClient> => {
    const one = await connectAsync(`mqtt://127.0.0.1:${broker.port}`, { reconnectPeriod: 0, ...options });
    one.on("error", () => {});
    open.push(() => one.endAsync(true));
    return one;
  };
  return { broker, log, client };
}

/** The end of a connection, whether an error came before it or not. */
function closing(of: MqttClient | Socket): Promise<void> {
  return new Promise((resolve) => (of as Socket).on("error", () => {}).once("close", () => resolve()));
}

function within<T>(what: string, promise: Promise<T>, limitMs = 15_000): Promise<T> {
  let limit: NodeJS.Timeout;
  const late = new Promise<never>((_, reject) => {
    limit = setTimeout(() => reject(new Error(`not within ${limitMs} ms: ${what}`)), limitMs);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(limit));
}

test("a device announces itself, changes and is killed; the gateway falls back to MQTT 3.1.1", async () => {
  const { broker, client } = await started();
  const directory = new RecordingDirectory();
  const log = keptLog(() => directory.look());
  const clock = new FastClock(20);
  const url = `mqtt://127.0.0.1:${broker.port}`;
  const gateway = mqttGateway({ url }, { directory, clock, timers: clock, random: Math.random, log });
  gateway.start();
  open.push(() => gateway.stop());
  const device = await client({ will: { topic: "sd1/s/d1", payload: Buffer.from("0"), retain: true, qos: 1 } });
  await device.publishAsync("sd1/s/d1", "1", { retain: true });
  await device.publishAsync("sd1/a/d1", "lamp;600;room=a", { retain: true });
  await directory.until("d1 appears", () => directory.services.size === 1);
  await directory.until("connected", () => log.count(/connected \(MQTT 3\.1\.1\)/) === 1);
  assert.is(log.lines.length, 1, log.lines.join("\n"));
  await device.publishAsync("sd1/a/d1", "lamp;600;room=b", { retain: true });
  await directory.until("d1 changes", () => directory.history.includes("modified d1"));
  device.stream.destroy();
  await directory.until("d1 goes", () => directory.services.size === 0);
});

test("what is retained waits for subscribers", async () => {
  const { client } = await started();
  await (await client()).publishAsync("sd1/a/d1", "lamp;600", { retain: true, qos: 1 });
  const reader = await client();
  const heard = once(reader, "message");
  await reader.subscribeAsync("sd1/a/+");
  const [topic, payload, packet] = await within("the message", heard);
  assert.equal([topic, String(payload), packet.retain], ["sd1/a/d1", "lamp;600", true]);
});

test("a packet larger than 64 KiB costs its sender the connection, and nobody else", async () => {
  const { client } = await started();
  const [good, bad] = [await client(), await client()];
  const closed = closing(bad);
  bad.publish("x", Buffer.alloc(70_000));
  await within("the close", closed);
  await within("an answer", good.publishAsync("x", "small", { qos: 1 }));
});

test("retained messages are limited in number", async () => {
  const { client, log } = await started();
  const bad = await client();
  const closed = closing(bad);
  for (let n = 0; n <= 10_000; n++) bad.publish(`x/${n}`, "1", { retain: true });
  await within("the close", closed);
  assert.is(log.count(/no room for a further retained message/), 1, log.lines.join("\n"));
  const good = await client();
  await within("an update", good.publishAsync("x/1", "2", { retain: true, qos: 1 }));
  await within("a removal", good.publishAsync("x/1", "", { retain: true, qos: 1 }));
  await within("a new one", good.publishAsync("y", "2", { retain: true, qos: 1 }));
});

test("retained messages are limited in size", async () => {
  const { client } = await started();
  const bad = await client();
  const closed = closing(bad);
  for (let n = 0; n < 140; n++) bad.publish(`x/${n}`, Buffer.alloc(60_000), { retain: true });
  await within("the close", closed);
});

test("a subscriber that does not read is closed, and the others go on", async () => {
  const { broker, client, log } = await started();
  const stuck: Socket = connect(broker.port, "127.0.0.1");
  open.push(async () => stuck.destroy());
  await once(stuck, "connect");
  stuck.write(Buffer.from([0x10, 0x0d, 0, 4, 77, 81, 84, 84, 4, 2, 0, 0, 0, 1, 0x73]));
  await once(stuck, "data");
  stuck.write(Buffer.from([0x82, 0x06, 0, 1, 0, 1, 0x23, 0]));
  await once(stuck, "data");
  stuck.pause();
  const gone = closing(stuck);
  const reader = await client();
  await reader.subscribeAsync("last");
  const heard = once(reader, "message");
  const writer = await client();
  for (let n = 0; n < 400; n++) writer.publish("fill", Buffer.alloc(50_000));
  writer.publish("last", "still here");
  const [, payload] = await within("the message behind the flood", heard, 30_000);
  assert.is(String(payload), "still here");
  assert.is(log.count(/does not read/), 1, log.lines.join("\n"));
  stuck.resume();
  await within("the end of the stuck one", gone);
});

test("200 clients, and the next is turned away", async () => {
  const { broker, log, client } = await started();
  const sockets: Socket[] = [];
  open.push(async () => void sockets.map((socket) => socket.destroy()));
  for (let n = 0; n < 200; n++) {
    const socket = connect(broker.port, "127.0.0.1");
    socket.on("error", () => {});
    sockets.push(socket);
    await once(socket, "connect");
  }
  const surplus = connect(broker.port, "127.0.0.1");
  surplus.on("error", () => {});
  await within("the end of the surplus one", closing(surplus));
  assert.is(log.count(/more than 200 clients/), 1);
  const closed = closing(sockets[0]);
  sockets[0].destroy();
  await closed;
  await within("a free place", client());
});

test("a session does not outlive its connection", async () => {
  const { client } = await started();
  const first = await client({ clientId: "s", clean: false });
  await first.subscribeAsync("x", { qos: 1 });
  await first.endAsync();
  await (await client()).publishAsync("x", "lost", { qos: 1 });
  let present: boolean | undefined;
  const again = await client({ clientId: "s", clean: false, resubscribe: false });
  again.on("message", () => assert.unreachable());
  again.on("connect", ({ sessionPresent }) => (present = sessionPresent));
  await again.subscribeAsync("y", { qos: 1 });
  await again.publishAsync("z", "1", { qos: 1 });
  assert.not.ok(present);
});

test("garbage costs one connection", async () => {
  const { broker, client } = await started();
  const good = await client();
  for (const noise of [
    "GET / HTTP/1.1\r\n\r\n",
    "\x10\xff\xff\xff\xff\xff",
    "\0\0",
    "\x10\x02ab",
    "\x30\x05\0\x03a/b",
  ]) {
    const socket = connect(broker.port, "127.0.0.1");
    socket.on("error", () => {});
    await once(socket, "connect");
    socket.write(Buffer.from(noise, "latin1"));
    await within(`the end after ${JSON.stringify(noise)}`, closing(socket), 20_000);
  }
  await within("an answer", good.publishAsync("x", "1", { qos: 1 }));
});

test("a port in use is a clear error; closing frees the port", async () => {
  const { broker, log } = await started();
  const again = startEmbeddedBroker({ host: "127.0.0.1", port: broker.port, log });
  await again.then(
    () => assert.unreachable(),
    (error: NodeJS.ErrnoException) => assert.is(error.code, "EADDRINUSE"),
  );
  await broker.close();
  const next = await startEmbeddedBroker({ host: "127.0.0.1", port: broker.port, log });
  await next.close();
});

test.run();
