import { test } from "uvu";
import * as assert from "uvu/assert";
import { parseBrokerUrl } from "../../../src/gateway/mqtt/broker-url.js";
import { defaultClientId, gatewayName } from "../../../src/gateway/mqtt/gateway-options.js";
import { parseState } from "../../../src/gateway/mqtt/native/inbound.js";
import { PacketSizeLimit } from "../../../src/gateway/mqtt/packet-size.js";
import {
  checkedRoot,
  NAME_PATTERN,
  outboundTopicsBelow,
  serviceId,
  topicsBelow,
} from "../../../src/gateway/mqtt/topics.js";

const longest = "A1b2_-".repeat(4).slice(0, 20);
for (const [root, topic, expected] of [
  ["sd1", "sd1/a/a1b2c3d4e5f6", { tree: "a", device: "a1b2c3d4e5f6" }],
  ["sd1", "sd1/s/x", { tree: "s", device: "x" }],
  ["sd1", `sd1/a/${longest}`, { tree: "a", device: longest }],
  ["plant/one/sd1", "plant/one/sd1/a/x", { tree: "a", device: "x" }],
  ["sd1", "sd1/a/", undefined],
  ["sd1", `sd1/a/${longest}x`, undefined],
  ["sd1", "sd1/a/x/y", undefined],
  ["sd1", "sd1/a/ä", undefined],
  ["sd1", "sd1/a/x ", undefined],
  ["sd1", "sd1/m/lamp/5f3a", undefined],
  ["sd1", "sd1/q/x", undefined],
  ["sd1", "sd1/g/x", undefined],
  ["sd1", "sd1", undefined],
  ["sd1", "sd1x/a/x", undefined],
] as const) {
  test(`topic ${topic} below ${root}`, () => {
    const parsed = topicsBelow(root).parse(topic);
    if (expected) assert.equal(parsed, expected);
    else assert.ok("reason" in parsed && parsed.reason.length > 0);
  });
}

test("states are subscribed to before announcements", () => {
  assert.equal(topicsBelow("sd1").filters, ["sd1/s/+", "sd1/a/+"]);
});

for (const root of ["", "/sd1", "sd1/", "sd+", "#", "a/#", "$SYS", "a\nb", "x".repeat(101)]) {
  test(`no root: ${JSON.stringify(root).slice(0, 20)}`, () =>
    assert.throws(() => checkedRoot(root), /MQTT root topic/));
}

// sha256("local" 00 "sd1" 00 "a1b2c3d4e5f6"), computed with coreutils' sha256sum; its first 63 bits
test("the id of a service is what SHA-256 says", () => {
  assert.is(serviceId("local", "a1b2c3d4e5f6"), 0x4a4e2bb933ff7359n >> 1n);
  assert.is.not(serviceId("local", "x"), serviceId("other", "x"));
  for (let n = 0; n < 1000; n++) {
    const id = serviceId("local", `d${n}`);
    assert.ok(id > 0n && id < 2n ** 63n);
  }
});

for (const [payload, expected] of [
  ["1", "up"],
  ["0", "down"],
  ["z1", { sleepSeconds: 1 }],
  ["z3600", { sleepSeconds: 3600 }],
  ["z4294967295", { sleepSeconds: 86_400 }],
  ["", undefined],
  ["2", undefined],
  ["11", undefined],
  ["z", undefined],
  ["z0", undefined],
  ["z-5", undefined],
  ["z1.5", undefined],
  ["z99999999999", undefined],
  ["1\n", undefined],
  ["online", undefined],
] as const) {
  test(`state ${JSON.stringify(payload)}`, () => {
    if (expected) assert.equal(parseState(Buffer.from(payload)), expected);
    else assert.throws(() => parseState(Buffer.from(payload)), /expected 1, 0, or z/);
  });
}

for (const [text, expected] of [
  ["mqtt://broker", { host: "broker", port: 1883, tls: false, text: "mqtt://broker:1883" }],
  ["mqtt://10.0.0.1:1884/", { host: "10.0.0.1", port: 1884, tls: false, text: "mqtt://10.0.0.1:1884" }],
  ["mqtts://broker.example", { host: "broker.example", port: 8883, tls: true, text: "mqtts://broker.example:8883" }],
  ["mqtt://[::1]:1883", { host: "::1", port: 1883, tls: false, text: "mqtt://[::1]:1883" }],
  ["mqtt://[fe80::1%eth0]", { host: "fe80::1%eth0", port: 1883, tls: false, text: "mqtt://[fe80::1%eth0]:1883" }],
] as const) {
  test(`broker ${text}`, () => assert.equal(parseBrokerUrl(text), expected));
}

for (const text of [
  "",
  "broker",
  "http://broker",
  "mqtt://",
  "mqtt://b:0",
  "mqtt://b:65536",
  "mqtt://b:x",
  "mqtt://b/x",
  "mqtt://a b",
]) {
  test(`no broker: ${text}`, () =>
    assert.throws(() => parseBrokerUrl(text), /broker .*(expected mqtt|is not 1 to 65535)/));
}

for (const text of [
  "mqtt://me:s3cret@broker",
  "mqtt://me:s3cret@broker:x",
  "http://me:s3cret@broker",
  "mqtt://me:s3c@ret@b",
]) {
  test(`a password in ${text} is not repeated`, () => {
    assert.throws(
      () => parseBrokerUrl(text),
      (error: Error) => error instanceof RangeError && !/s3c/.test(error.message),
    );
  });
}

const packet = (length: number) => {
  const header = [0x30];
  let rest = length;
  do {
    header.push((rest & 0x7f) | (rest > 0x7f ? 0x80 : 0));
    rest >>>= 7;
  } while (rest > 0);
  return Buffer.concat([Buffer.from(header), Buffer.alloc(length, 0xff)]);
};

test("packets up to the limit pass, in pieces of any size; a larger one does not", () => {
  const small = Buffer.concat([packet(0), packet(1), packet(127), packet(128), packet(997), packet(0)]);
  const large = packet(998).subarray(0, 3); // its fixed header is enough
  for (const piece of [1, 2, 3, 7, 128, 100_000]) {
    const limit = new PacketSizeLimit(1000);
    const all = (stream: Buffer) => {
      let accepted = true;
      for (let at = 0; at < stream.length; at += piece) accepted &&= limit.accept(stream.subarray(at, at + piece));
      return accepted;
    };
    assert.is(all(small), true, `pieces of ${piece}`);
    assert.is(all(large), false, `pieces of ${piece}`);
  }
});

test("a length of more than four bytes is refused", () => {
  assert.is(new PacketSizeLimit(2 ** 40).accept(Buffer.from([0x30, 0xff, 0xff, 0xff, 0xff, 0x01])), false);
});

for (const [host, name] of [
  ["attic", /^attic$/],
  ["pathfinder-gateway-board-1", /^pathfinder-ga-[0-9a-f]{6}$/],
  ["board.example.org", /^board-example-[0-9a-f]{6}$/],
  ["", /^-[0-9a-f]{6}$/],
] as const) {
  test(`a gateway on host "${host}" has a name that fits a topic`, () => {
    assert.match(gatewayName(host), name);
    assert.match(gatewayName(host), NAME_PATTERN);
  });
}

test("hosts whose names begin alike have different gateways", () => {
  assert.is.not(gatewayName("pathfinder-gateway-board-1"), gatewayName("pathfinder-gateway-board-2"));
});

const OUT = outboundTopicsBelow("plant/sd1");

for (const [topic, kind, of] of [
  [OUT.mirror("lamp", "00000000000000ff"), "mirror", { kind: "lamp", id: "00000000000000ff" }],
  [OUT.gateway("attic"), "gateway", "attic"],
  ["plant/sd1/q/dev-1", "query", "dev-1"],
  ["plant/sd1/m/lamp/xyz", undefined, undefined],
  ["plant/sd1/m/lamp", undefined, undefined],
  ["plant/sd1/m/la mp/00000000000000ff", undefined, undefined],
  ["plant/sd1/m/lamp/00000000000000ff/x", undefined, undefined],
  ["plant/sd1/q/a/b", undefined, undefined],
  ["plant/sd1/g/", undefined, undefined],
  ["sd1/g/attic", undefined, undefined],
] as const) {
  test(`outbound topic ${topic} is ${kind ?? "none"}`, () => {
    assert.equal(OUT.parseMirror(topic), kind === "mirror" ? of : undefined);
    assert.is(OUT.parseGateway(topic), kind === "gateway" ? (of as string) : undefined);
    assert.is(OUT.parseQuery(topic), kind === "query" ? (of as string) : undefined);
  });
}

test("client ids by default: those of one host differ in site, root and presence name", () => {
  assert.is(defaultClientId({}, "attic.lan"), "pathfinder-edge-local-attic.lan");
  assert.is(
    defaultClientId({ root: "sd1", presence: { name: gatewayName("attic.lan") } }, "attic.lan"),
    "pathfinder-edge-local-attic.lan",
  );
  const ids = [
    {},
    { site: "x" },
    { root: "x" },
    { presence: { name: "x" } },
    { root: "x", presence: { name: "x" } },
  ].map((options) => defaultClientId(options, "attic"));
  assert.is(new Set(ids).size, 5);
  for (const id of ids.slice(2)) assert.match(id, /^pathfinder-edge-local-attic-[0-9a-f]{6}$/);
});

test.run();
