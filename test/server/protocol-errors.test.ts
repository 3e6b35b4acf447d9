/** What the server drops a connection for (8, 16): that one, without a word, and nobody else notices anything. */

import { test } from "uvu";
import * as assert from "uvu/assert";
import { InMemoryDomain } from "../support/in-memory.js";
import { ask, matches, message, outcome, publish, received, recordingLog, subscribe } from "./conversation.js";

const request = (command: string, fields: object = {}) => message("request", command, 50, { ...fields });
const SERVICE = { "service-id": 1, generation: 1, "service-props": {}, ttl: 1 };
const withProps = (props: string) =>
  `{"ta-cmd":"publish","ta-id":50,"msg-type":"request","service-id":1,"generation":1,"ttl":1,"service-props":${props}}`;
const withId = (id: string) => `{"ta-cmd":"unpublish","ta-id":50,"msg-type":"request","service-id":${id}}`;
const head = (taCmd: string, msgType = '"request"', taId = "50") =>
  `{"ta-cmd":${taCmd},"ta-id":${taId},"msg-type":${msgType}}`;

/** Messages by what is wrong with them; the offender speaks version 3, tracks in 90 and subscribes in 91. */
const BAD: { readonly [cause: string]: string | Uint8Array | readonly string[] } = {
  "not JSON": "hello?",
  "white space only": "  ",
  "truncated JSON": request("ping").slice(0, -1),
  "text behind the message": `${request("ping")}x`,
  "two messages in one": request("ping") + request("ping"),
  "a byte order mark": `\ufeff${request("ping")}`,
  "bad UTF-8": Buffer.concat([
    Buffer.from('{"ta-cmd":"services","ta-id":50,"msg-type":"request","filter":"'),
    Buffer.from([0xff]),
    Buffer.from('"}'),
  ]),
  "a NUL behind the message": `${request("ping")}\0`,
  "16: an array at top level": "[]",
  "16: a number at top level": "42",
  "16: null at top level": "null",
  "16: a string at top level": '"ping"',
  "16: ta-cmd an array": head('["ping"]'),
  "16: ta-cmd an object": head("{}"),
  "16: ta-cmd a number": head("1"),
  "16: msg-type an array": head('"ping"', "[]"),
  "16: msg-type an object": head('"ping"', "{}"),
  "16: filter a number": request("services", { filter: 1 }),
  "16: filter an array of characters": request("services", { filter: ["(", "a", "=", "b", ")"] }),
  "16: deeply nested JSON": `${"[".repeat(60_000)}`,
  "16: deeply nested properties": withProps(`{"a":${"[".repeat(50_000)}${"]".repeat(50_000)}}`),
  "16: inform on a subscription": message("inform", "track", 91, { "track-type": "query" }),
  "16: a reply that nobody asked for": message("inform", "track", 90, { "track-type": "reply" }),
  "16: unknown track type": message("inform", "track", 90, { "track-type": "ping" }),
  "16: the document's track type": message("inform", "track", 90, { "track-type": "track-query" }),
  "16: track type not a string": message("inform", "track", 90, { "track-type": 1 }),
  "mandatory member missing": request("unpublish"),
  "mandatory member null": withId("null"),
  "no ta-cmd": '{"ta-id":50,"msg-type":"request"}',
  "no ta-id": '{"ta-cmd":"ping","msg-type":"request"}',
  "no msg-type": '{"ta-cmd":"ping","ta-id":50}',
  "empty object": "{}",
  "unknown member": request("ping", { colour: "red" }),
  "a known member of another command": request("ping", { filter: "(a=b)" }),
  "optional member null": request("services", { filter: null }),
  "integer as a string": withId('"1"'),
  "integer with a fraction": withId("1.0"),
  "integer with an exponent": withId("1e3"),
  "integer negative": withId("-1"),
  "integer above 2^63-1": withId("9223372036854775808"),
  "integer of 5000 digits": withId("1".repeat(5000)),
  "integer true": withId("true"),
  "integer NaN": withId("NaN"),
  "ta-id negative": head('"ping"', '"request"', "-1"),
  "ta-id too large": head('"ping"', '"request"', "9223372036854775808"),
  "ta-id a string": head('"ping"', '"request"', '"50"'),
  "props an array": withProps("[]"),
  "props a string": withProps('"a"'),
  "props with a bare value": withProps('{"a":"b"}'),
  "props with a float": withProps('{"a":[1.5]}'),
  "props with null": withProps('{"a":[null]}'),
  "props with a boolean": withProps('{"a":[true]}'),
  "props with an object": withProps('{"a":[{}]}'),
  "props with an integer above 2^63-1": withProps('{"a":[9223372036854775808]}'),
  "props with an integer below -2^63": withProps('{"a":[-9223372036854775809]}'),
  "unknown command": request("shutdown"),
  "unknown message type": head('"ping"', '"question"'),
  "accept is the server's": message("accept", "subscribe", 50),
  "notify is the server's": message("notify", "track", 90, { "track-type": "reply" }),
  "complete is the server's": message("complete", "ping", 50),
  "fail is the server's": message("fail", "ping", 50),
  "fail with a reason is the server's": message("fail", "ping", 50, { "fail-reason": "no-hello" }),
  "request on an open subscribe transaction": message("request", "ping", 91),
  "subscribe on an open subscribe transaction": message("request", "subscribe", 91, { "subscription-id": 999 }),
  "request on the track transaction": message("request", "ping", 90),
  "track on the track transaction": message("request", "track", 90),
  "hello on an open transaction": message("request", "hello", 90, {
    "client-id": 66,
    "protocol-minimum-version": 2,
    "protocol-maximum-version": 3,
  }),
  "inform without a transaction": message("inform", "track", 50, { "track-type": "query" }),
  "inform of a command that has none": message("inform", "ping", 50),
  "a second reply to one query": [
    message("inform", "track", 90, { "track-type": "reply" }),
    message("inform", "track", 90, { "track-type": "reply" }),
  ],
};

function scene() {
  const { lines, log } = recordingLog();
  const memory = new InMemoryDomain({ log });
  const witness = memory.client(1);
  subscribe(witness, 10);
  publish(witness, 20, { props: { name: ["witness"] } });
  const bystander = memory.client(2, 2);
  subscribe(bystander, 11, { filter: "(name=*)" });
  const offender = memory.client(66);
  offender.send(message("request", "track", 90));
  offender.send(message("request", "subscribe", 91, { "subscription-id": 12 }));
  for (const peer of [witness, bystander, offender]) peer.received.length = 0;
  lines.length = 0;
  return { memory, witness, bystander, offender, lines };
}

/** What must hold after the offender was dropped. */
function nobodyElseNoticed({ memory, witness, bystander, lines }: ReturnType<typeof scene>): void {
  assert.equal(received(witness), []);
  assert.equal(received(bystander), []);
  assert.not(witness.closedByServer || bystander.closedByServer);
  assert.is(ask(witness, "clients").length, 4);
  assert.is(ask(witness, "services").length, 3);
  assert.is(ask(witness, "subscriptions").length, 4, "the offender's subscription is gone");
  assert.is(publish(bystander, 21, { props: { name: ["later"] } }), "complete");
  assert.equal(matches(received(witness)), ["appeared 21"], "the directory still tells everybody");
  assert.is(memory.domain.connectionCount, 2);
  assert.not(
    lines.some((line) => line.startsWith("ERROR")),
    `a protocol error is not a bug of ours: ${lines.join("\n")}`,
  );
}

for (const [cause, bad] of Object.entries(BAD)) {
  test(cause, () => {
    const all = scene();
    const { memory, offender, lines } = all;
    for (const text of Array.isArray(bad) ? bad : [bad]) offender.send(text as string | Uint8Array);
    assert.ok(offender.closedByServer, "it is dropped");
    assert.equal(received(offender), [], "without a word");
    assert.is(lines.filter((line) => line.startsWith("WARNING <0x42> Protocol error")).length, 1, lines.join("\n"));
    assert.is(lines.filter((line) => line.startsWith("INFO <0x42> Disconnected")).length, 1);
    assert.is(memory.domain.connectionOf(memory.domain.directory.client(0, 66)), undefined);
    nobodyElseNoticed(all);
  });
}

test("what is queued behind the bad message is not processed", () => {
  const all = scene();
  all.offender.send("oops");
  all.offender.send(request("publish", SERVICE));
  nobodyElseNoticed(all);
});

test("the offender's own services become orphans, as with any end", () => {
  const { offender, witness } = scene();
  publish(offender, 30, { ttl: 5 });
  received(witness);
  offender.send("oops");
  assert.equal(matches(received(witness)), ["modified 30 orphan"]);
});

test("accepted: white space around, members in any order, the last of repeated ones, -0", () => {
  const peer = new InMemoryDomain().client(1);
  for (const text of [
    ` \t\r\n${request("ping")} \t\r\n`,
    '{"msg-type":"request","ta-id":50,"ta-cmd":"ping"}',
    '{"ta-cmd":"publish","ta-cmd":"ping","ta-id":1,"ta-id":50,"msg-type":"fail","msg-type":"request"}',
  ]) {
    peer.send(text);
    assert.equal(peer.received.splice(0), ['{"ta-cmd":"ping","ta-id":50,"msg-type":"complete"}'], text);
  }
  peer.send(withId("-0"));
  assert.is(received(peer)[0]["fail-reason"], "non-existent-service-id");
});

test("16: a substring filter over an integer does not match, and harms nobody", () => {
  const { witness, bystander } = scene();
  assert.is(subscribe(bystander, 13, { filter: "(v=4*)" }).length, 1);
  assert.is(publish(witness, 40, { props: { v: [42] } }), "complete");
  assert.equal(matches(received(bystander)), []);
  assert.is(publish(witness, 41, { props: { v: [42, "42"] } }), "complete");
  assert.equal(matches(received(bystander)), ["appeared 41"]);
});

test("16: a deeply nested filter is invalid or understood, and the connection stays", () => {
  const { offender, witness } = scene();
  const deep = `${"(!".repeat(10_000)}(a=b)${")".repeat(10_000)}`;
  assert.ok(["invalid-filter-syntax", "complete"].includes(outcome(offender, "services", { filter: deep })));
  assert.not(offender.closedByServer);
  assert.is(publish(witness, 50, { props: { a: ["b"] } }), "complete");
});

test("16: hello with another client id is refused, and the connection stays", () => {
  const all = scene();
  const fields = { "client-id": 67, "protocol-minimum-version": 2, "protocol-maximum-version": 3 };
  assert.is(outcome(all.offender, "hello", fields), "permission-denied");
  assert.not(all.offender.closedByServer);
});

test("a bug of ours in a notification ends the connection it was for, and the publisher learns nothing of it", () => {
  const all = scene();
  const { memory, offender, witness, lines } = all;
  Object.defineProperty(offender, "queuedBytes", {
    get: () => {
      throw new Error("planned");
    },
  });
  assert.is(publish(all.bystander, 21, { props: { name: ["x"] } }), "complete");
  assert.equal(matches(received(witness)), ["appeared 21"]);
  memory.advanceMs(0);
  assert.ok(offender.closedByServer);
  assert.ok(lines.some((line) => line.startsWith("ERROR <0x42> Internal error; only this connection ends")));
  assert.is(memory.domain.connectionCount, 2);
});

test.run();
