/** The connection against brokers that misbehave, with a clock that the test moves. */

import { createServer, type Socket } from "node:net";
import { test } from "uvu";
import * as assert from "uvu/assert";
import type { Timers } from "../../../src/core/clock.js";
import type { BrokerOptions } from "../../../src/gateway/mqtt/broker-options.js";
import { BrokerConnection } from "../../../src/gateway/mqtt/connection.js";
import { FakeClock } from "../../support/fake-clock.js";
import { keptLog } from "./recording-directory.js";

const CONNACK_4 = Buffer.from([0x20, 0x02, 0x00, 0x00]);
const CONNACK_5 = Buffer.from([0x20, 0x03, 0x00, 0x00, 0x00]);

const opened: (() => Promise<void>)[] = [];
test.after.each(async () => {
  for (const end of opened.splice(0)) await end();
});

type Behaviour = (socket: Socket, connectPacket: Buffer, nth: number) => void;

/** A broker that does what the test says with each CONNECT, and a connection to it. */
async function fixture(behaviour: Behaviour, options: Partial<BrokerOptions> = {}) {
  const clock = new FakeClock();
  opened.push(() => end());
  const sockets = new Set<Socket>();
  /** The protocol version in each CONNECT. */
  const versions: number[] = [];
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => {}).on("close", () => sockets.delete(socket));
    socket.once("data", (bytes) => {
      versions.push(bytes[bytes.indexOf("MQTT") + 4]);
      behaviour(socket, bytes, versions.length);
      changed();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { port: number };
  let waiting: (() => void)[] = [];
  const changed = () => {
    for (const look of waiting.splice(0)) look();
  };
  const log = keptLog(changed);
  const events: string[] = [];
  const happened = (event: string) => {
    events.push(event);
    changed();
  };
  const timers: Timers = {
    after(...args) {
      queueMicrotask(changed);
      return clock.after(...args);
    },
  };
  const connection = new BrokerConnection(
    { url: `mqtt://127.0.0.1:${port}`, clientId: "test", keepaliveSeconds: 60, ...options },
    ["sd1/s/+", "sd1/a/+"],
    {
      up: () => happened("up"),
      down: () => happened("down"),
      message: (topic) => happened(`message ${topic}`),
      leftOut: () => happened("left out"),
    },
    { clock, timers, random: () => 1, log },
  );
  const until = (what: string, condition: () => boolean) =>
    new Promise<void>((resolve, reject) => {
      const limit = setTimeout(() => {
        waiting = [];
        reject(new Error(`not within 10 s: ${what}; ${log.lines.join(" | ")}; ${events.join(", ")}; ${versions}`));
      }, 10_000);
      const look = () => {
        if (!condition()) return void waiting.push(look);
        clearTimeout(limit);
        resolve();
      };
      look();
    });
  let ended = false;
  const end = async () => {
    if (ended) return;
    ended = true;
    const stopped = connection.stop();
    clock.advanceMs(2000); // this broker acknowledges no subscription
    await stopped;
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
    assert.equal(clock.timers(), [], "timers left");
  };
  return {
    ...{ clock, versions, log, events, connection, until, end },
    look: changed,
    /** Waits for the retry timer, and says in how many milliseconds it is due. */
    async retryInMs() {
      await until("a retry", () => clock.timers().includes("mqtt connect"));
      return clock.nextInMs()!;
    },
  };
}

test("nobody listens at any address of a name: the log says so", async () => {
  // Nothing may listen at port 1 (tcpmux) of this machine; "localhost" has one address or two.
  const on = await fixture(() => {}, { url: "mqtt://localhost:1" });
  on.connection.start();
  await on.retryInMs();
  assert.match(on.log.lines[0], /^warning MQTT broker mqtt:\/\/localhost:1: cannot connect: .*ECONNREFUSED/);
  await on.end();
});

test("retries: 1, 2, 4 … 60 s, one log line for all of them", async () => {
  const on = await fixture((socket) => socket.resetAndDestroy());
  on.connection.start();
  const delays: number[] = [];
  for (let n = 0; n < 9; n++) {
    const delayMs = await on.retryInMs();
    delays.push(delayMs);
    on.clock.advanceMs(delayMs);
  }
  assert.equal(delays, [1000, 2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000, 60_000]);
  assert.is(on.log.count(/^warning MQTT broker mqtt:\/\/127\.0\.0\.1:\d+: cannot connect: /), 1);
  assert.is(on.log.lines.length, 1, on.log.lines.join("\n"));
  await on.end();
});

test("half of each delay is left to chance", async () => {
  const on = await fixture((socket) => socket.destroy());
  (on.connection as unknown as { context: { random: () => number } }).context.random = () => 0;
  on.connection.start();
  assert.is(await on.retryInMs(), 500);
  await on.end();
});

test("a broker without MQTT 5 that says so gets MQTT 3.1.1 at once, and ever after", async () => {
  const on = await fixture((socket, _, nth) => {
    if (nth % 2 === 1 && nth < 3) socket.end(Buffer.from([0x20, 0x02, 0x00, 0x01]));
    else socket.write(CONNACK_4);
    if (nth === 2) setImmediate(() => socket.destroy());
  });
  on.connection.start();
  await on.until("lost", () => on.events.includes("down"));
  on.clock.advanceMs(await on.retryInMs());
  await on.until("up again", () => on.events.filter((event) => event === "up").length === 2);
  assert.equal(on.versions, [5, 4, 4]);
  assert.is(on.log.count(/version/i), 0);
  await on.end();
});

test("a broker that just hangs up on MQTT 5 gets MQTT 3.1.1 at the next attempt", async () => {
  const on = await fixture((socket, connect) => {
    if (connect.includes(Buffer.from("MQTT\x05"))) socket.destroy();
    else socket.write(CONNACK_4);
  });
  on.connection.start();
  on.clock.advanceMs(await on.retryInMs());
  await on.until("up", () => on.events.includes("up"));
  assert.equal(on.versions, [5, 4]);
  await on.end();
});

test("a broker that only hung up once gets MQTT 5 again after the next loss", async () => {
  const on = await fixture((socket, _, nth) => {
    if (nth === 1) socket.destroy();
    else if (nth === 2) socket.end(CONNACK_4);
    else socket.write(CONNACK_5);
  });
  on.connection.start();
  on.clock.advanceMs(await on.retryInMs());
  await on.until("down", () => on.events.includes("down"));
  on.clock.advanceMs(await on.retryInMs());
  await on.until("up again", () => on.events.filter((event) => event === "up").length === 2);
  assert.equal(on.versions, [5, 4, 5]);
  await on.end();
});

test("a connection that lasted 30 s starts the retries anew; a short one does not", async () => {
  let live: Socket | undefined;
  const on = await fixture((socket, connect) => {
    live = socket;
    socket.write(connect.includes(Buffer.from("MQTT\x05")) ? CONNACK_5 : CONNACK_4);
  });
  on.connection.start();
  const delays: number[] = [];
  let ups = 0;
  for (const lastedMs of [0, 29_999, 30_000, 0]) {
    ups++;
    await on.until("up", () => on.events.filter((event) => event === "up").length === ups);
    on.clock.advanceMs(lastedMs);
    live?.destroy();
    const delayMs = await on.retryInMs();
    delays.push(delayMs);
    on.clock.advanceMs(delayMs);
  }
  assert.equal(delays, [1000, 2000, 1000, 2000]);
  await on.end();
});

test("the broker's reason to disconnect is told", async () => {
  const on = await fixture((socket) => socket.write(Buffer.concat([CONNACK_5, Buffer.from([0xe0, 0x02, 0x8e, 0x00])])));
  on.connection.start();
  await on.until(
    "the reason",
    () => on.log.count(/reason code 142 \(another client uses the client id "test"\)/) === 1,
  );
  await on.end();
});

test("a packet of more than a megabyte that is no message ends the connection when it begins", async () => {
  for (const first of [0x90, 0x34]) {
    const on = await fixture((socket) => {
      socket.write(CONNACK_5);
      socket.once("data", () => socket.write(Buffer.from([first, 0xff, 0xff, 0xff, 0x7f])));
    });
    on.connection.start();
    await on.until("the reason", () => on.log.count(/connection lost: a packet of 268435460 bytes \(1048576 at/) === 1);
    await on.end();
  }
});

/** A PUBLISH whose packet is larger than a megabyte. */
function giant(topic: string, packetId?: number): Buffer {
  const body = Buffer.concat([
    Buffer.from([topic.length >> 8, topic.length & 0xff]),
    Buffer.from(topic),
    Buffer.from(packetId === undefined ? [] : [packetId >> 8, packetId & 0xff]),
    Buffer.alloc(1_100_000, "x"),
  ]);
  const length = [(body.length & 0x7f) | 0x80, ((body.length >> 7) & 0x7f) | 0x80, body.length >> 14];
  return Buffer.concat([Buffer.from([packetId === undefined ? 0x31 : 0x33, ...length]), body]);
}

test("messages of more than a megabyte are left out, acknowledged, and told once for each topic", async () => {
  const received: Buffer[] = [];
  const acknowledged = (id: number) => Buffer.concat(received).includes(Buffer.from([0x40, 2, id >> 8, id & 0xff]));
  const on = await fixture((socket) => {
    socket.on("data", (more) => {
      received.push(more);
      if (acknowledged(7)) socket.end(Buffer.from("\x30\x07\0\x04sd1/\0", "latin1"));
    });
    socket.write(Buffer.concat([CONNACK_5, giant("sd1/a/x"), giant("sd1/a/x", 0x1234), giant("sd1/s/y\n", 7)]));
  });
  on.connection.start();
  await on.until("the end", () => on.events.includes("down"));
  assert.equal(on.events, ["up", "left out", "left out", "left out", "message sd1/", "down"]);
  assert.ok(acknowledged(0x1234));
  assert.is(on.log.count(/ignored a message of 1100016 bytes on topic "sd1\/s\/y\\n"/), 1);
  assert.is(on.log.count(/ignored/), 2);
  await on.end();
});

test("noise instead of MQTT", async () => {
  for (const noise of [
    "HTTP/1.1 400 Bad Request\r\n\r\n",
    "\0\0\0\0",
    "\xff\xff\xff\xff\xff\xff",
    "\x20\x00",
    "\x90\x02\0\x01",
  ]) {
    const on = await fixture((socket) => socket.end(Buffer.from(noise, "latin1")));
    on.connection.start();
    await on.retryInMs();
    assert.is(on.log.count(/^warning .*cannot connect/), 1, on.log.lines.join("\n"));
    await on.end();
  }
});

test("a login appears in no log line and in no error, whatever the broker does", async () => {
  const on = await fixture((socket) => socket.end(Buffer.from([0x20, 0x03, 0x00, 0x86, 0x00])), {
    user: "operator7",
    password: "s3cret",
  });
  on.connection.start();
  await on.retryInMs();
  assert.is(on.log.count(/Connection refused: Bad User Name or Password/), 1, on.log.lines.join("\n"));
  assert.is(on.log.count(/s3cret|operator7/), 0);
  await on.end();
});

test("publishing: not without a connection, nothing larger than the broker takes, the will stands in CONNECT", async () => {
  const received: Buffer[] = [];
  let connect: Uint8Array = Buffer.alloc(0);
  const on = await fixture(
    (socket, bytes) => {
      connect = bytes;
      socket.on("data", (more) => {
        received.push(more);
        on.look();
      });
      socket.write(Buffer.from([0x20, 0x08, 0x00, 0x00, 0x05, 0x27, 0, 0, 0, 64])); // maximum packet size 64
    },
    { will: () => ({ topic: "sd1/g/attic", payload: "0", retain: true, qos: 1 }) },
  );
  const { connection } = on;
  assert.is(connection.publish("t", "x"), "not-connected");
  assert.is(connection.protocolVersion, undefined);
  connection.start();
  await on.until("up", () => on.events.includes("up"));
  assert.is(connection.protocolVersion, 5);
  assert.ok(Buffer.from(connect).includes("sd1/g/attic"));
  // fixed header 2, topic 3, properties 1
  assert.is(connection.publish("t", "x".repeat(58)), "sent");
  assert.is(connection.publish("t", "x".repeat(59)), "too-large");
  assert.is(connection.publish("t", "x".repeat(57), { userProperties: { a: "" } }), "too-large");
  assert.is(connection.publish("t", "x", { qos: 1, retain: true }), "sent");
  await on.until("the packet of 64 bytes", () => Buffer.concat(received).includes("x".repeat(58)));
  await on.end();
  assert.is(connection.publish("t", "x"), "not-connected");
});

test("the smaller of the broker's limit and ours holds; MQTT 3.1.1 tells none", async () => {
  const on = await fixture(
    (socket, bytes) => socket.write(bytes.includes(Buffer.from("MQTT\x05")) ? Buffer.from([0x20, 2, 0, 1]) : CONNACK_4),
    { maxPacketBytes: 20 },
  );
  on.connection.start();
  await on.until("up", () => on.events.includes("up"));
  assert.is(on.connection.protocolVersion, 4);
  assert.is(on.connection.publish("t", "x".repeat(15)), "sent");
  assert.is(on.connection.publish("t", "x".repeat(16)), "too-large");
  assert.is(on.connection.publish("t", "x", { userProperties: { long: "y".repeat(100) } }), "sent", "not in 3.1.1");
  await on.end();
});

test("a broker that acknowledges nothing: after 1,000 messages nothing is kept for it", async () => {
  const on = await fixture((socket) => socket.write(CONNACK_5));
  on.connection.start();
  await on.until("up", () => on.events.includes("up"));
  for (let n = 0; n < 1000; n++) assert.is(on.connection.publish("t", "x", { qos: 1 }), "sent");
  assert.is(on.connection.publish("t", "x", { qos: 1 }), "not-connected");
  assert.is(on.connection.publish("t", "x"), "sent");
  await on.end();
});

test("stopping works at any time, twice, and before anything was connected", async () => {
  for (const moment of ["at once", "connected", "waiting"] as const) {
    const on = await fixture((socket) => (moment === "waiting" ? socket.destroy() : socket.write(CONNACK_5)));
    on.connection.start();
    if (moment === "connected") await on.until("up", () => on.events.includes("up"));
    if (moment === "waiting") await on.retryInMs();
    await on.end();
    await on.connection.stop();
    assert.is(on.log.count(/^(warning|error)/), moment === "waiting" ? 1 : 0, `${moment}: ${on.log.lines.join("\n")}`);
  }
});

test.run();
