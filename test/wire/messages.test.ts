/** What is written, read back: every answer of a server, every request of a client. */

import { test } from "uvu";
import * as assert from "uvu/assert";
import type { Client } from "../../src/core/entries.js";
import { PairHash } from "../../src/core/pair-hash.js";
import { properties } from "../../src/core/properties.js";
import { RecordBuilder, toProperties } from "../../src/core/record.js";
import { ServiceDirectory } from "../../src/core/service-directory.js";
import { encodeText } from "../../src/core/text.js";
import { toBigInt } from "../../src/core/uint63.js";
import { CLIENTS, COMMANDS, F, HELLO, PING, PUBLISH, REQUEST, SUBSCRIBE } from "../../src/wire/commands.js";
import { writeNumber, writeString, writeUint63 } from "../../src/wire/json-writer.js";
import { encodeMessage } from "../../src/wire/requests.js";
import {
  MESSAGE_ROOM,
  serviceStateRoom,
  writeAccept,
  writeClient,
  writeClose,
  writeComplete,
  writeFail,
  writeHelloComplete,
  writeMatch,
  writeService,
  writeServiceState,
  writeSubscription,
  writeTrackNotify,
} from "../../src/wire/responses.js";
import { Scanner } from "../../src/wire/scanner.js";
import { parseExact } from "../support/exact-json.js";
import { FakeClock } from "../support/fake-clock.js";

const MAX_HI = 0x7fff_ffff;
const MAX = 2n ** 63n - 1n;
const builder = new RecordBuilder(new PairHash(1, 2));
const bytes = new Uint8Array(200_000);

/** What `write` wrote from position 3 on, parsed; it must also be a message that a client accepts. */
function written(write: (at: number) => number, room = MESSAGE_ROOM): unknown {
  bytes.fill(0);
  const end = write(3);
  assert.ok(end - 3 <= room, `${end - 3} bytes, room for ${room}`);
  assert.equal([...bytes.subarray(end, end + 8)], [0, 0, 0, 0, 0, 0, 0, 0]);
  new Scanner({ builder, ignoreUnknownMembers: false }).scan(bytes, 3, end, 3);
  return parseExact(Buffer.from(bytes.subarray(3, end)).toString());
}

COMMANDS.forEach(({ name, messages }, command) => {
  test(`${name}: complete, accept and fail`, () => {
    const common = { "ta-cmd": name, "ta-id": MAX };
    if (command !== HELLO)
      assert.equal(
        written((at) => writeComplete(bytes, at, command, MAX_HI, -1)),
        { ...common, "msg-type": "complete" },
      );
    if (messages.accept)
      assert.equal(
        written((at) => writeAccept(bytes, at, command, MAX_HI, -1)),
        { ...common, "msg-type": "accept" },
      );
    assert.equal(
      written((at) => writeFail(bytes, at, command, MAX_HI, -1, "same-generation-but-different")),
      {
        ...common,
        "msg-type": "fail",
        "fail-reason": "same-generation-but-different",
      },
    );
  });
});

test("hello complete and track notify", () => {
  for (const version of [2, 3])
    assert.is(
      (written((at) => writeHelloComplete(bytes, at, 0, 0, version)) as Record<string, unknown>)["protocol-version"],
      BigInt(version),
    );
  for (const [type, word] of ["query", "reply"].entries()) {
    assert.equal(
      written((at) => writeTrackNotify(bytes, at, 0, 9, type)),
      { "ta-cmd": "track", "ta-id": 9n, "msg-type": "notify", "track-type": word },
    );
  }
});

test("services and matches, orphan or not, with hostile texts, in exactly the room that is promised", () => {
  const clock = new FakeClock();
  const directory = new ServiceDirectory({ clock, timers: clock, random: () => 0.3 });
  const owner = directory.connect(MAX_HI, -1, "u") as Client;
  const props = { 'é"\\\n\u0001\u007f': ["\ud800", "😀", MAX, -MAX - 1n, "1", ""], b: 0 };
  directory.builder.fromProperties(properties(props));
  directory.publish(owner, MAX_HI, -1, MAX_HI, -2, MAX_HI, -1);
  const service = directory.service(MAX_HI, -1)!;
  const room = serviceStateRoom(directory, service) + MESSAGE_ROOM;
  const state = {
    "service-id": MAX,
    generation: MAX - 1n,
    ttl: MAX,
    "client-id": MAX,
    "service-props": { ...props, b: [0n] },
  };
  const match = (type: number) =>
    written((at) => writeServiceState(bytes, writeMatch(bytes, at, 0, 1, type, service), directory, service), room);
  const head = { "ta-cmd": "subscribe", "ta-id": 1n, "msg-type": "notify" };
  assert.equal(match(0), { ...head, "match-type": "appeared", ...state });
  directory.disconnect(owner);
  assert.equal(match(1), { ...head, "match-type": "modified", ...state, "orphan-since": BigInt(clock.unixSeconds()) });
  assert.equal(
    written((at) => writeClose(bytes, writeMatch(bytes, at, 0, 1, 2, service))),
    { ...head, "match-type": "disappeared", "service-id": MAX },
  );
  assert.equal(
    written((at) => writeServiceState(bytes, writeService(bytes, at, 0, 1, service), directory, service), room),
    {
      ...head,
      "ta-cmd": "services",
      ...state,
      "orphan-since": BigInt(clock.unixSeconds()),
    },
  );
});

test("subscriptions and clients, for each version of the asker", () => {
  const subscription = { idHi: MAX_HI, idLo: -1, client: { idHi: 0, idLo: 5 } };
  const head = {
    "ta-cmd": "subscriptions",
    "ta-id": 1n,
    "msg-type": "notify",
    "subscription-id": MAX,
    "client-id": 5n,
  };
  assert.equal(
    written((at) => writeSubscription(bytes, at, 0, 1, subscription, undefined)),
    head,
  );
  assert.equal(
    written((at) => writeSubscription(bytes, at, 0, 1, subscription, encodeText('(é="\ud800\n)'))),
    { ...head, filter: '(é="\ud800\n)' },
  );
  const client = {
    idHi: 0,
    idLo: 5,
    address: encodeText('ux:"x"'),
    connectedAtUnix: 1700000000.9,
    idleSeconds: 5e-5,
    version: 3,
    latencySeconds: 0.25,
  };
  const line = {
    "ta-cmd": COMMANDS[CLIENTS]!.name,
    "ta-id": 1n,
    "msg-type": "notify",
    "client-id": 5n,
    "client-address": 'ux:"x"',
    time: 1700000000n,
  };
  assert.equal(
    written((at) => writeClient(bytes, at, 0, 1, client, 2)),
    line,
  );
  assert.equal(
    written((at) => writeClient(bytes, at, 0, 1, client, 3)),
    { ...line, idle: 5e-5, "protocol-version": 3n, latency: 0.25 },
  );
  assert.equal(
    written((at) => writeClient(bytes, at, 0, 1, { ...client, latencySeconds: undefined }, 3)),
    { ...line, idle: 5e-5, "protocol-version": 3n },
  );
});

test("every character is written as JSON.parse reads it", () => {
  for (let point = 0; point <= 0x10_ffff; point += point < 0x3000 ? 1 : 61) {
    const text = `a${String.fromCodePoint(point)}b`;
    const from = encodeText(text);
    const end = writeString(bytes, 0, from, 0, from.length);
    const json = Buffer.from(bytes.subarray(0, end)).toString();
    if (JSON.parse(json) !== text || end > 6 * from.length + 2) assert.unreachable(`U+${point.toString(16)}: ${json}`);
  }
});

test("numbers", () => {
  for (const value of [0, 0.1, 5e-7, 1e21, 1700000000.123456, Number.MAX_VALUE]) {
    assert.is(JSON.parse(Buffer.from(bytes.subarray(0, writeNumber(bytes, 0, value))).toString()), value);
  }
  for (const [hi, lo] of [
    [0, 0],
    [0, 9],
    [0, 10],
    [0, -1],
    [1, 0],
    [MAX_HI, -1],
  ] as const) {
    assert.is(Buffer.from(bytes.subarray(0, writeUint63(bytes, 0, hi, lo))).toString(), String(toBigInt(hi, lo)));
  }
});

test("requests are read by a server as they were meant", () => {
  const scanner = new Scanner({ builder });
  const scan = (message: Uint8Array) => scanner.scan(message, 0, message.length, 3);
  const props = properties({ __proto__x: ["\ud800", MAX, "1", 1], "": "" });
  const publish = scan(
    encodeMessage(PUBLISH, MAX, "request", { "service-id": MAX, generation: 0n, ttl: 1n, "service-props": props }),
  );
  assert.equal(
    [
      publish.command,
      publish.type,
      toBigInt(publish.hi(F.taId), publish.lo(F.taId)),
      toBigInt(publish.hi(F.serviceId), publish.lo(F.serviceId)),
    ],
    [PUBLISH, REQUEST, MAX, MAX],
  );
  assert.equal(toProperties(builder.page, 0), props);
  const filter = '(a="\\\\\ud800😀\n)';
  assert.is(scan(encodeMessage(SUBSCRIBE, 0n, "request", { "subscription-id": 1n, filter })).text(F.filter), filter);
  assert.not(
    scan(encodeMessage(SUBSCRIBE, 0n, "request", { "subscription-id": 1n, filter: undefined } as never)).has(F.filter),
  );
  assert.is(scan(encodeMessage(PING, 0n, "request")).command, PING);
});

test.run();
