/** What the scanner accepts and refuses (pathfinder-protocol.md, 3, 6 and 8). Mutated messages: fuzz-server.test.ts. */

import { test } from "uvu";
import * as assert from "uvu/assert";
import { HOSTILE_PROPERTIES, publishText } from "../../scripts/bench/hostile-inputs.js";
import { PairHash } from "../../src/core/pair-hash.js";
import { RecordBuilder, toProperties } from "../../src/core/record.js";
import { toBigInt } from "../../src/core/uint63.js";
import { COMMANDS, F, MESSAGE_TYPES } from "../../src/wire/commands.js";
import { ProtocolError } from "../../src/wire/protocol-error.js";
import { type Message, Scanner } from "../../src/wire/scanner.js";

const builder = new RecordBuilder(new PairHash(1, 2));
const server = new Scanner({ builder });
const client = new Scanner({ builder, ignoreUnknownMembers: true });

function scan(text: string | Uint8Array, scanner = server, version = 3): Message {
  const bytes = typeof text === "string" ? Buffer.from(text) : text;
  return scanner.scan(bytes, 0, bytes.length, version);
}

function refusal(text: string | Uint8Array, scanner = server, version = 3): string {
  try {
    scan(text, scanner, version);
  } catch (error) {
    assert.instance(error, ProtocolError);
    return (error as Error).message;
  }
  return assert.unreachable(`${text} was accepted`) as never;
}

const PING = '"ta-cmd":"ping","ta-id":7,"msg-type":"request"';
const publish = (members: string) => `{"ta-cmd":"publish","ta-id":7,"msg-type":"request",${members}}`;
const withProps = (props: string) => publish(`"service-id":1,"generation":2,"ttl":3,"service-props":${props}`);
const withTtl = (ttl: string) => publish(`"service-id":1,"generation":2,"ttl":${ttl},"service-props":{}`);
const subscribe = (filter: string) =>
  `{"ta-cmd":"subscribe","ta-id":7,"msg-type":"request","subscription-id":1,"filter":${filter}}`;

for (const [what, text] of [
  ["plain", `{${PING}}`],
  ["white space everywhere", ` \t\r\n{ ${PING.replace(/[:,]/g, " $& ")}\n}\t `],
  ["members in another order", '{"msg-type":"request","ta-id":7,"ta-cmd":"ping"}'],
  ["escaped member names", `{"t\\u0061-\\u0069d":7,"\\u0074a-cmd":"ping","msg-type":"request"}`],
  ["escaped words", `{"ta-id":7,"ta-cmd":"p\\u0069ng","msg-type":"\\u0072equest"}`],
  ["repeated members: the last one wins", `{"ta-cmd":"hello","ta-id":1,"msg-type":"notify",${PING}}`],
] as const) {
  test(`accepted: ${what}`, () => {
    const message = scan(text);
    assert.equal(
      [COMMANDS[message.command]!.name, MESSAGE_TYPES[message.type], message.hi(F.taId), message.lo(F.taId)],
      ["ping", "request", 0, 7],
    );
  });
}

for (const [literal, value] of [
  ["0", 0n],
  ["-0", 0n],
  ["9007199254740993", 9007199254740993n],
  ["9223372036854775807", 9223372036854775807n],
] as const) {
  test(`Int ${literal} is ${value}`, () => {
    const message = scan(withTtl(literal));
    assert.is(toBigInt(message.hi(F.ttl), message.lo(F.ttl)), value);
  });
}

test("a text of every kind of character, repeated", () => {
  const text = 'é😀\u0000\ud800"\\/\b\f\n\r\t';
  assert.is(scan(subscribe(`"x","filter":${JSON.stringify(text)}`)).text(F.filter), text);
  assert.is(scan(subscribe('"\\/\\ud83d\\ude00\\uD800\\uDBFF\\uDFFF"')).text(F.filter), "/😀\ud800\u{10ffff}");
  assert.is(scan(subscribe('""')).text(F.filter), "");
});

for (const [json, expected] of [
  ["{}", {}],
  ['{"a":["x","x",1,1,"1",-0,0]}', { a: ["x", 1n, "1", 0n] }],
  ['{"a":[],"b":[1]}', { b: [1n] }],
  ['{"a":[1,2],"b":[3],"a":[4]}', { b: [3n], a: [4n] }],
  ['{"a":[1],"a":[]}', {}],
  ['{"a":[1]},"service-props":{"b":[2]}', { b: [2n] }],
  ['{"a":[9223372036854775807,-9223372036854775808]}', { a: [9223372036854775807n, -9223372036854775808n] }],
  ['{"":[""],"\\u0061":["\\ud800"]}', { "": [""], a: ["\ud800"] }],
  [' { "a" : [ 1 , "x" ] } ', { a: [1n, "x"] }],
] as const) {
  test(`Props ${json}`, () => {
    scan(withProps(json));
    assert.equal(Object.fromEntries(toProperties(builder.page, 0)), expected);
  });
}

/** Text, and what the error must say: the member and the value (8). */
const REFUSED: readonly (readonly [string, RegExp])[] = [
  ["", /expected "\{" at the end of the message/],
  ["not json", /expected "\{" at "not json"/],
  ["[]", /expected "\{"/],
  ["7", /expected "\{"/],
  ["null", /expected "\{"/],
  ["{}", /"ta-cmd", "ta-id", "msg-type" is missing/],
  [`\ufeff{${PING}}`, /expected "\{"/],
  [`{${PING}`, /expected "," or "\}" at the end/],
  [`{${PING},}`, /name of a member at "\}"/],
  [`{${PING}}{}`, /text behind the message at "\{\}"/],
  [`{${PING}}\0`, /text behind the message/],
  [`{${PING.replace(":", " ")}}`, /expected ":"/],
  [`{'ta-id':1}`, /name of a member/],
  [`{${PING},"x":12}`, /unknown member at "\\"x\\":12\}"/],
  [`{${PING},"filter":null}`, /"filter" must be a string, not "null\}"/],
  [`{${PING},"ttl":1}`, /ping request: unexpected member "ttl"/],
  ['{"ta-cmd":"ping","ta-id":1}', /"msg-type" is missing/],
  ['{"ta-cmd":"ping","ta-id":null,"msg-type":"request"}', /"ta-id" must be an integer, not "null/],
  ['{"ta-cmd":7,"ta-id":1,"msg-type":"request"}', /"ta-cmd" must be a string, not "7/],
  ['{"ta-cmd":["ping"],"ta-id":1,"msg-type":"request"}', /"ta-cmd" must be a string, not "\[/],
  ['{"ta-cmd":"fly","ta-id":1,"msg-type":"request"}', /unknown "ta-cmd": "fly"/],
  ['{"ta-cmd":"ping","ta-id":1,"msg-type":"Request"}', /unknown "msg-type": "Request"/],
  ['{"ta-cmd":"ping","ta-id":1,"msg-type":{}}', /"msg-type" must be a string/],
  [
    '{"ta-cmd":"track","ta-id":1,"msg-type":"inform","track-type":"track-query"}',
    /unknown "track-type": "track-query"/,
  ],
  ...["1.0", "1e3", '"1"', "-1.5", "true", "false", "NaN", "Infinity", "01", "+1", "[]", "-", "", "1E2"].map(
    (value) => [withTtl(value), /^"ttl" must be an integer, not /] as const,
  ),
  ...["-1", "9223372036854775808", "-9223372036854775808", "1".repeat(5000)].map(
    (value) =>
      [withTtl(value), new RegExp(`^"ttl" is ${value.slice(0, 40)} \\(0 to 9223372036854775807 accepted\\)$`)] as const,
  ),
  [withTtl("0x10"), /expected "," or "\}" at "x10/],
  [publish('"service-id":1,"generation":2,"ttl":3'), /publish request: mandatory member "service-props" is missing/],
  ...["7", "null", "[]", '"x"'].map((value) => [withProps(value), /"service-props" must be an object, not/] as const),
  ...["7", "null", "{}", '"x"'].map(
    (value) => [withProps(`{"a":${value}}`), /property in "service-props" must be an array of values, not/] as const,
  ),
  ...["1.5", "1e3", "null", "[]", "{}", "true", "-", "NaN", "007"].map(
    (value) =>
      [withProps(`{"a":[${value}]}`), /a value in "service-props" must be a string or an integer, not/] as const,
  ),
  ...["9223372036854775808", "-9223372036854775809", "123456789012345678901234567890"].map(
    (value) => [withProps(`{"a":[${value}]}`), new RegExp(`the property value ${value} is beyond 64 bits`)] as const,
  ),
  [withProps('{"a":[1,]}'), /must be a string or an integer/],
  [withProps('{"a":[1],}'), /expected the name of a property/],
  [withProps('{"a":[1 2]}'), /expected "," or "\]"/],
  ...["7", "null", '["x"]', "{}"].map((value) => [subscribe(value), /"filter" must be a string, not/] as const),
  [subscribe('"\\x"'), /unknown escape/],
  [subscribe('"\\u12g4"'), /unknown escape/],
  [subscribe('"\\u12'), /unknown escape/],
  [subscribe('"a\nb"'), /control character in a string/],
  [`{${PING},"x`, /string without end/],
];

for (const [text, problem] of REFUSED) {
  test(`refused: ${JSON.stringify(text.slice(0, 150))}`, () => assert.match(refusal(text), problem));
}

for (const bytes of [
  [0xff],
  [0x80],
  [0xc0, 0x80],
  [0xc3],
  [0xe2, 0x82],
  [0xed, 0xa0, 0x80],
  [0xf4, 0x90, 0x80, 0x80],
]) {
  test(`refused: a string with the bytes ${bytes}`, () => {
    const [head, tail] = subscribe('"|"').split("|") as [string, string];
    const message = Buffer.concat([Buffer.from(head), Uint8Array.from(bytes), Buffer.from(tail)]);
    assert.match(refusal(message), /malformed UTF-8/);
    assert.match(refusal(message, client), /malformed UTF-8/);
  });
}

test("refused: a message of 65,536 bytes, whatever is in it", () => {
  assert.match(refusal(`{${PING}}`.padEnd(65_536)), /message of 65536 bytes \(at most 65535 accepted\)/);
  assert.ok(scan(`{${PING}}`.padEnd(65_535)));
});

/** Section 6, written down a second time: command, since, and per message type the members (`?`: optional). */
const SECTION_6: readonly (readonly [string, number, Readonly<Record<string, string>>])[] = [
  [
    "hello",
    2,
    { request: "client-id protocol-minimum-version protocol-maximum-version", complete: "protocol-version" },
  ],
  ["track", 3, { request: "", accept: "", complete: "", notify: "track-type", inform: "track-type" }],
  [
    "subscribe",
    2,
    {
      request: "subscription-id filter?",
      accept: "",
      notify: "match-type service-id generation? service-props? ttl? client-id? orphan-since?",
      complete: "",
    },
  ],
  ["unsubscribe", 2, { request: "subscription-id", complete: "" }],
  ["subscriptions", 2, { request: "", accept: "", notify: "subscription-id client-id filter?", complete: "" }],
  [
    "services",
    2,
    {
      request: "filter?",
      accept: "",
      notify: "service-id generation service-props ttl client-id orphan-since?",
      complete: "",
    },
  ],
  ["publish", 2, { request: "service-id generation service-props ttl", complete: "" }],
  ["unpublish", 2, { request: "service-id", complete: "" }],
  [
    "clients",
    2,
    { request: "", accept: "", notify: "client-id client-address time idle? protocol-version? latency?", complete: "" },
  ],
  ["ping", 2, { request: "", complete: "" }],
];
const ALL_MEMBERS =
  "fail-reason client-id protocol-minimum-version protocol-maximum-version protocol-version track-type subscription-id filter match-type service-id generation service-props ttl orphan-since client-address time idle latency".split(
    " ",
  );
const SAMPLES: Readonly<Record<string, string>> = {
  "track-type": '"query"',
  "match-type": '"appeared"',
  "service-props": "{}",
  filter: '""',
  "fail-reason": '""',
  "client-address": '""',
};

for (const [command, since, messages] of SECTION_6) {
  for (const type of MESSAGE_TYPES) {
    const members = type === "fail" ? "fail-reason?" : messages[type];
    test(`${command} ${type}: ${members ?? "does not exist"}`, () => {
      const text = (names: readonly string[]) =>
        `{"ta-cmd":"${command}","ta-id":1,"msg-type":"${type}"${names.map((name) => `,"${name}":${SAMPLES[name] ?? "1"}`).join("")}}`;
      if (members === undefined) {
        assert.match(refusal(text([])), new RegExp(`there is no ${command} ${type}`));
        return;
      }
      const names = members.split(" ").filter((name) => name !== "");
      const must = names.filter((name) => !name.endsWith("?"));
      const may = names.filter((name) => name.endsWith("?")).map((name) => name.slice(0, -1));
      scan(text(must));
      scan(text([...must, ...may]));
      for (const left of must)
        assert.match(
          refusal(text(must.filter((name) => name !== left))),
          new RegExp(`mandatory member "${left}" is missing`),
        );
      for (const extra of ALL_MEMBERS.filter((name) => !must.includes(name) && !may.includes(name))) {
        assert.match(refusal(text([...must, extra])), new RegExp(`unexpected member "${extra}"`));
        scan(text([...must, extra]), client); // a client ignores it
      }
      if (since === 3) assert.match(refusal(text(must), server, 2), /unknown command "track" in protocol version 2/);
      else scan(text(must), server, 2);
    });
  }
}

for (const value of [
  "null",
  "true",
  "-1.5e-3",
  '"\\u0000"',
  "[]",
  "[[],{}]",
  '{"a":{"b":[1,"x"]}}',
  `${"[".repeat(32)}1${"]".repeat(32)}`,
]) {
  test(`a client ignores a member with the value ${value.slice(0, 40)}`, () => {
    assert.is(scan(`{${PING},"later":${value}}`, client).lo(F.taId), 7);
    assert.match(refusal(`{${PING},"later":${value}}`), /unknown member/);
  });
}

for (const value of [
  "",
  "nul",
  "tru",
  "01",
  "1.",
  ".5",
  "+1",
  "NaN",
  '"\\x"',
  '"a',
  "[1,]",
  "[1 2]",
  "{1:2}",
  '{"a"}',
  '{"a":1,}',
  "]",
  `${"[".repeat(34)}${"]".repeat(34)}`,
  "[".repeat(60_000),
]) {
  test(`a client refuses a member with the value ${value.slice(0, 40)}`, () => {
    assert.match(refusal(`{${PING},"later":${value}}`, client), /not a protocol message: /);
  });
}

for (const [literal, value] of [
  ["0", 0],
  ["1700000000.123456", 1700000000.123456],
  ["5e-05", 5e-5],
  [`0.${"1234567890".repeat(8)}`, 0.12345678901234568],
  ["-1", undefined],
  ["1e400", undefined],
  ['"1"', undefined],
  ["true", undefined],
  ["NaN", undefined],
  ["01", undefined],
] as const) {
  test(`Number ${literal} is ${value ?? "refused"}`, () => {
    const text = `{"ta-cmd":"subscribe","ta-id":1,"msg-type":"notify","match-type":"modified","service-id":1,"orphan-since":${literal}}`;
    if (value === undefined) assert.match(refusal(text, client), /"orphan-since" must be a number of at least 0, not/);
    else assert.is(scan(text, client).numbers[F.orphanSince], value);
  });
}

// What they cost is shown by `npm run bench -- hostile`; here: they are understood, and nothing of them stays behind.
for (const [what, props] of HOSTILE_PROPERTIES) {
  test(`hostile: ${what}`, () => {
    const text = publishText(props);
    const message = Buffer.from(text);
    server.scan(message, 0, message.length, 3);
    const expected = Object.entries(JSON.parse(text)["service-props"] as Record<string, number[]>)
      .map(([name, values]) => [name, new Set(values).size] as const)
      .filter(([, size]) => size > 0);
    const count = expected.reduce((sum, [, size]) => sum + size, 0);
    const record = toProperties(builder.page, 0);
    if (builder.tooLarge) {
      assert.ok(count > 1000, `${count} values were too many`);
    } else {
      assert.equal([...record].map(([name, values]) => [name, values.length]).sort(), [...expected].sort());
    }
    scan(withProps('{"a":[1]}'));
    assert.is(builder.tooLarge, false, "the next message is not affected");
    assert.equal([...toProperties(builder.page, 0)], [["a", [1n]]]);
  });
}

test.run();
