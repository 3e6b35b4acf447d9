/** Names: the text form, its wire form, and dns-packet using both. */

import { test } from "uvu";
import * as assert from "uvu/assert";
import { encodeMessage } from "../../../src/gateway/mdns/link.js";
import { dnsPacket } from "../../../src/gateway/mdns/name-codec.js";
import {
  canonicalName,
  displayLabel,
  labelBytes,
  labelsOf,
  labelText,
  nameBytes,
  nameKey,
  readName,
} from "../../../src/gateway/mdns/names.js";

const LABELS: readonly [what: string, bytes: Buffer, text: string, display: string][] = [
  ["plain", Buffer.from("lamp"), "lamp", "lamp"],
  ["a space", Buffer.from("My Lamp"), "My Lamp", "My Lamp"],
  ["a dot", Buffer.from("v1.0"), "v1\\.0", "v1.0"],
  ["a backslash", Buffer.from("a\\b"), "a\\\\b", "a\\b"],
  ["a backslash before a dot", Buffer.from("\\."), "\\\\\\.", "\\."],
  ["what looks like an escape", Buffer.from("\\032"), "\\\\032", "\\032"],
  ["UTF-8", Buffer.from("Küche ☕"), "Küche ☕", "Küche ☕"],
  ["outside the BMP", Buffer.from("💡"), "💡", "💡"],
  ["a byte order mark", Buffer.from("\ufefflamp"), "\ufefflamp", "\ufefflamp"],
  ["a control character", Buffer.from("a\nb\x7f"), "a\\010b\\127", "a\nb\x7f"],
  ["NUL", Buffer.from([0]), "\\000", "\0"],
  ["Latin-1, not UTF-8", Buffer.from("K\xfcche.1", "latin1"), "K\\252che\\.1", "K\\252che\\.1"],
  ["63 bytes", Buffer.alloc(63, "x"), "x".repeat(63), "x".repeat(63)],
];

for (const [what, bytes, text, display] of LABELS) {
  test(`a label with ${what} has one text form and comes back from it`, () => {
    assert.is(labelText(bytes), text);
    assert.equal(labelBytes(text), bytes);
    assert.is(displayLabel(text), display);
  });

  test(`dns-packet carries a label with ${what} in every place of a message`, () => {
    const name = `${text}._x._tcp.local`;
    const message = dnsPacket.encode({
      type: "response",
      questions: [{ name, type: "SRV" }],
      answers: [
        { name: "_x._tcp.local", type: "PTR", data: name },
        { name, type: "SRV", data: { port: 1, target: `${text}.local` } },
      ],
    });
    const decoded = dnsPacket.decode(message) as unknown as {
      questions: { name: string }[];
      answers: [{ data: string }, { name: string; data: { target: string } }];
    };
    assert.is(decoded.questions[0].name, name);
    assert.is(decoded.answers[0].data, name);
    assert.is(decoded.answers[1].name, name);
    assert.is(decoded.answers[1].data.target, `${text}.local`);
    assert.ok(
      message.includes(Buffer.concat([Buffer.of(bytes.length), bytes, Buffer.from("\x02_x\x04_tcp\x05local\0")])),
    );
  });
}

test("any bytes make a label that comes back", () => {
  let state = 1;
  const next = () => (state = (state * 48271) % 0x7fffffff);
  for (let i = 0; i < 20_000; i++) {
    const bytes = Buffer.from(Array.from({ length: 1 + (next() % 12) }, () => next() % 256));
    const text = labelText(bytes);
    assert.equal(labelBytes(text), bytes);
    assert.equal(labelsOf(`${text}.local`), [text, "local"]);
  }
});

test("a name is split at its own dots only", () => {
  assert.equal(labelsOf("a\\.b\\\\.c"), ["a\\.b\\\\", "c"]);
  assert.equal(labelsOf("a.b."), ["a", "b"]);
  assert.equal(labelsOf("."), []);
});

test("other spellings of a name become its one text form", () => {
  assert.is(canonicalName("My\\032Lamp\\.1._x._tcp.local."), "My Lamp\\.1._x._tcp.local");
  assert.is(canonicalName("\\a\\b"), "ab");
});

test("names are equal in ASCII case only", () => {
  assert.is(nameKey("LAMP.Local"), "lamp.local");
  assert.is(nameKey("KÜCHE"), "kÜche");
  assert.is(nameKey("\u212a"), "\u212a"); // KELVIN SIGN, which toLowerCase would turn into k
});

const BAD_NAMES: readonly [name: string, message: RegExp][] = [
  ["a..b", /empty label/],
  [".a", /empty label/],
  [`${"x".repeat(64)}.local`, /64 bytes \(at most 63/],
  [`${"ü".repeat(32)}.local`, /64 bytes/],
  [Array(128).fill("x").join("."), /257 bytes \(at most 255/],
  ["a\\", /ends in a backslash/],
  ["a\\256", /not a byte/],
];
for (const [name, message] of BAD_NAMES) {
  test(`the name ${name.slice(0, 20)} is refused`, () => assert.throws(() => nameBytes(name), message));
}

test("the longest name is 255 bytes", () => assert.is(nameBytes(Array(127).fill("x").join(".")).length, 255));

const BAD_WIRE: readonly [what: string, bytes: number[], at: number, message: RegExp][] = [
  ["without an end", [1, 97], 0, /past the end/],
  ["with a label past the end", [9, 97], 0, /past the end/],
  ["with half a pointer", [0xc0], 0, /past the end/],
  ["pointing to itself", [0xc0, 0], 0, /backwards/],
  ["pointing forwards", [0xc0, 2, 0], 0, /backwards/],
  ["with a loop over a label", [1, 97, 0xc0, 0], 0, /backwards/],
  ["with an unknown kind of label", [0x40, 0], 0, /unknown kind/],
];
for (const [what, bytes, at, message] of BAD_WIRE) {
  test(`a name ${what} is refused`, () => assert.throws(() => readName(Buffer.from(bytes), at), message));
}

test("reading a name follows pointers, but not many", () => {
  const message = Buffer.from([0, 1, 97, 0, 1, 98, 0xc0, 1, 0xc0, 4]);
  assert.equal(readName(message, 4), { name: "b.a", bytes: 4 });
  assert.equal(readName(message, 8), { name: "b.a", bytes: 2 });
  const chain = Buffer.alloc(200);
  for (let at = 2; at < 200; at += 2) chain.writeUInt16BE(0xc000 + at - 2, at);
  assert.throws(() => readName(chain, 198), /too many pointers/);
});

test("a truncated TXT does not make dns-packet read records from the header on", () => {
  const header = Buffer.from("000084000000000200000000", "hex");
  const record = Buffer.from("00001000010000000000ff", "hex");
  assert.throws(
    () => dnsPacket.decode(Buffer.concat([header, record, Buffer.alloc(11)])),
    /past the end of the message/,
  );
});

const INSTANCE = "v1\\.0._x._tcp.local";
const MESSAGE = {
  type: "response",
  questions: [{ name: INSTANCE, type: "ANY", class: "IN", qu: true }],
  answers: [
    { name: "_x._tcp.local", type: "PTR", ttl: 1, data: INSTANCE },
    { name: INSTANCE, type: "SRV", ttl: 2, flush: true, data: { priority: 0, weight: 0, port: 80, target: "H.local" } },
    { name: INSTANCE, type: "NSEC", ttl: 2, flush: true, data: { nextDomain: INSTANCE, rrtypes: ["TXT", "SRV"] } },
    { name: "H.local", type: "A", ttl: 2, flush: true, data: "10.0.0.2" },
  ],
} as const;

test("names in a message are compressed, and read again as they were", () => {
  const bytes = encodeMessage(MESSAGE);
  const heads = 12 + 4 + 4 * 10;
  const names = nameBytes(INSTANCE).length + 4 * 2 + (2 + 2) + "_H".length + 2;
  assert.is(bytes.length, heads + names + 6 + (2 + 5) + 4);
  const { questions, answers } = dnsPacket.decode(bytes);
  assert.equal(questions, MESSAGE.questions as unknown);
  assert.equal(
    (answers as unknown as typeof MESSAGE.answers).map(({ name, data }) => [name, data]),
    MESSAGE.answers.map(({ name, data }) => [name, data]),
  );
  assert.equal(encodeMessage(MESSAGE), bytes, "nothing is left over from the message before");
});

test("a question of another class than IN keeps what it has", () => {
  const bytes = dnsPacket.encode({ type: "query", questions: [{ name: "a.local", type: "A", class: "CH" }] });
  assert.equal(dnsPacket.decode(bytes).questions, [{ name: "a.local", type: "A", class: "CH" }]);
  bytes.writeUInt16BE(0x8003, bytes.length - 2);
  assert.equal(dnsPacket.decode(bytes).questions![0].class, "UNKNOWN_32771" as "CH");
});

test.run();
