/** Mutated packets through the whole receive path: nothing throws, nothing grows beyond its limit, all of it expires. */

import { test } from "uvu";
import * as assert from "uvu/assert";
import { Browser } from "../../../src/gateway/mdns/browser.js";
import { dnsPacket } from "../../../src/gateway/mdns/name-codec.js";
import { type DecodedMessage, heardRecords } from "../../../src/gateway/mdns/records.js";
import { serviceProperties } from "../../../src/gateway/mdns/translation.js";
import { FakeClock } from "../../support/fake-clock.js";
import { COMPRESSED, CORPUS, generator, mutate } from "./mutated-packets.js";
import { addressRecord, pointerRecord, srvRecord, txtRecord } from "./records.js";

const ROUNDS = 200_000;
const LIMITS = { ttlSeconds: 4500, records: 300, recordsPerSource: 200, instances: 50, types: 20 };

test(`${ROUNDS} mutated packets`, () => {
  const random = generator(20261122);
  const clock = new FakeClock();
  let sent = 0;
  const browser = new Browser({
    interfaceName: "eth0",
    browse: "all",
    limits: LIMITS,
    clock,
    timers: clock,
    random: () => random(1000) / 1000,
    acceptsAddress: () => true,
    families: () => [4, 6],
    onDropped: () => {},
    send: ({ questions, answers }) => {
      sent++;
      // What we heard we must be able to write.
      dnsPacket.encode({
        questions: questions.map((question) => ({ ...question })),
        answers: answers.map(({ name, target }) => ({ name, type: "PTR", data: target })),
      });
    },
    onChange: (key) => {
      const view = browser.view(key);
      if (view) views += serviceProperties("fuzz", [view]).size;
    },
  });
  let views = 0;
  let decoded = 0;
  browser.restart();
  for (let round = 0; round < ROUNDS; round++) {
    const packet = mutate(CORPUS[random(CORPUS.length)], random);
    let message: DecodedMessage;
    try {
      message = dnsPacket.decode(packet) as DecodedMessage; // the link catches what this throws
    } catch {
      continue;
    }
    decoded++;
    browser.receive(heardRecords(message), `10.0.0.${random(4)}`);
    const { records, instances } = browser.counts;
    if (records > LIMITS.records || instances > LIMITS.instances) assert.unreachable(`round ${round}: too many`);
    if (random(10) === 0) clock.advanceMs(random(2000));
  }
  assert.ok(decoded > ROUNDS / 10, `${decoded} could be decoded`);
  assert.ok(views > 1000, `${views} properties made`);
  const minutes = clock.monotonicMs() / 60_000;
  assert.ok(sent / minutes < 600, `${sent} queries in ${minutes} minutes`);
  clock.advanceMs(4_501_000);
  const { records, instances } = browser.counts;
  assert.equal({ records, instances }, { records: 0, instances: 0 });
});

const REFUSED: readonly [what: string, packet: Buffer][] = [
  [
    "a header that announces 65535 records of each kind, and nothing else",
    Buffer.from("000084000000ffffffffffff", "hex"),
  ],
  [
    "one record more than it can hold",
    Buffer.concat([Buffer.from("000084000000000200000000", "hex"), Buffer.alloc(21)]),
  ],
  ["a message of more than 9000 bytes", Buffer.alloc(9001)],
];
for (const [what, packet] of REFUSED) {
  test(`refused before it costs anything: ${what}`, () => {
    assert.throws(() => dnsPacket.decode(packet), /announced|9001 bytes/);
  });
}

test("compressed names are read", () => {
  assert.equal(heardRecords(dnsPacket.decode(COMPRESSED) as DecodedMessage), [
    pointerRecord("a"),
    srvRecord("a"),
    txtRecord("a"),
    addressRecord("h"),
  ]);
});

const each = (bytes: Buffer, byte: () => number) => {
  for (let at = 0; at < bytes.length; at++) bytes[at] = byte();
};
const SOUPS: readonly [what: string, fill: (bytes: Buffer, random: (below: number) => number) => void][] = [
  ["random bytes", (bytes, random) => each(bytes, () => random(256))],
  ["pointers and types", (bytes, random) => each(bytes, () => [0xc0, 12, 0, 1, 16][random(5)])],
  ["zeros, which are records of type 0", (bytes) => each(bytes, () => 0)],
  [
    "a chain of pointers, and records that begin at its end",
    (bytes) => {
      for (let at = 14; at < 8000; at += 2) bytes.writeUInt16BE(0xc000 + at - 2, at);
      bytes.fill(Buffer.from("fe7e000100010000007800040a000001", "hex"), 8000);
    },
  ],
];
for (const [what, fill] of SOUPS) {
  test(`9000 bytes of ${what} end, in an error or in what they hold`, () => {
    const random = generator(63);
    const bytes = Buffer.alloc(9000);
    fill(bytes, random);
    Buffer.from("000084000000010001000100", "hex").copy(bytes);
    let records = 0;
    try {
      records = heardRecords(dnsPacket.decode(bytes) as DecodedMessage).length;
    } catch (error) {
      assert.instance(error, Error);
    }
    assert.ok(records <= 9000 / 11, "no more records than can stand in the packet");
  });
}

test.run();
