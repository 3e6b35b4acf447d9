/** Requests on services and subscriptions: each fail reason, effects, order, transaction ids (4, 6, 10, 11). */

import { test } from "uvu";
import * as assert from "uvu/assert";
import { UNLIMITED } from "../../src/core/limits.js";
import { InMemoryDomain } from "../support/in-memory.js";
import {
  ask,
  matches,
  message,
  outcome,
  publish,
  received,
  recordingLog,
  serviceFields,
  subscribe,
} from "./conversation.js";

test("invalid-filter-syntax: subscribe and services; nothing is left of them", () => {
  const memory = new InMemoryDomain();
  const peer = memory.client(1);
  for (const filter of ["", "(", "(a=b", "(a=)", "(&(a=b))", "((a=b))", "a=b"]) {
    assert.is(outcome(peer, "subscribe", { "subscription-id": 1, filter }), "invalid-filter-syntax", filter);
    assert.equal(ask(peer, "services", { filter }), [
      { "ta-cmd": "services", "msg-type": "fail", "fail-reason": "invalid-filter-syntax" },
    ]);
  }
  assert.is(ask(peer, "subscriptions").length, 2);
  assert.is(outcome(peer, "subscribe", { "subscription-id": 1 }), "accept", "the id is still free");
});

test("subscription-id-exists: whoever has it; the filter is looked at first", () => {
  const memory = new InMemoryDomain();
  const owner = memory.client(1);
  subscribe(owner, 7);
  for (const peer of [owner, memory.client(2)]) {
    assert.is(outcome(peer, "subscribe", { "subscription-id": 7 }), "subscription-id-exists");
    assert.is(outcome(peer, "subscribe", { "subscription-id": 7, filter: "(" }), "invalid-filter-syntax");
  }
});

test("subscription-id-exists comes before insufficient-resources", () => {
  const total = { ...UNLIMITED, subscriptions: 1 };
  const peer = new InMemoryDomain({ limits: { total, user: UNLIMITED } }).client(1);
  subscribe(peer, 7);
  assert.is(outcome(peer, "subscribe", { "subscription-id": 7 }), "subscription-id-exists");
  assert.is(outcome(peer, "subscribe", { "subscription-id": 8 }), "insufficient-resources");
});

test("non-existent-subscription-id, and permission-denied for another client of the same user", () => {
  const memory = new InMemoryDomain();
  const owner = memory.client(1);
  const other = memory.client(2);
  subscribe(owner, 7);
  assert.is(outcome(owner, "unsubscribe", { "subscription-id": 8 }), "non-existent-subscription-id");
  assert.is(outcome(other, "unsubscribe", { "subscription-id": 7 }), "permission-denied");
  publish(other, 1);
  assert.equal(matches(received(owner)), ["appeared 1"], "it is still there");
});

test("non-existent-service-id", () => {
  const peer = new InMemoryDomain().client(1);
  assert.is(outcome(peer, "unpublish", { "service-id": 1 }), "non-existent-service-id");
  publish(peer, 1);
  assert.is(outcome(peer, "unpublish", { "service-id": 1 }), "complete");
  assert.is(outcome(peer, "unpublish", { "service-id": 1 }), "non-existent-service-id");
});

test("permission-denied: publish and unpublish of another user's service, whatever the generation; orphans too", () => {
  const memory = new InMemoryDomain();
  const owner = memory.client(1, 3, "tcp:10.0.0.1:1");
  const other = memory.client(2, 3, "tcp:10.0.0.2:1");
  publish(owner, 7, { generation: 5, ttl: 100 });
  const refused = () => {
    for (const generation of [4, 5, 6]) assert.is(publish(other, 7, { generation, ttl: 100 }), "permission-denied");
    assert.is(outcome(other, "unpublish", { "service-id": 7 }), "permission-denied");
  };
  refused();
  owner.leave();
  refused();
  assert.is(ask(other, "services").length, 3);
});

test("old-generation and same-generation-but-different change nothing and tell nobody", () => {
  const memory = new InMemoryDomain();
  const peer = memory.client(1);
  const witness = memory.client(2);
  publish(peer, 7, { generation: 5, props: { a: ["b"] } });
  subscribe(witness, 1);
  for (const other of [peer, memory.client(3)]) {
    assert.is(publish(other, 7, { generation: 4, props: { a: ["b"] } }), "old-generation");
    assert.is(publish(other, 7, { generation: 5, props: { a: ["c"] } }), "same-generation-but-different");
    assert.is(publish(other, 7, { generation: 5, props: { a: ["b"] }, ttl: 11 }), "same-generation-but-different");
  }
  assert.is(publish(peer, 7, { generation: 5, props: { a: ["b"] } }), "complete", "the very same is fine");
  assert.equal(received(witness), []);
  assert.is(ask(peer, "services")[1]["client-id"], 1, "ownership did not move");
});

test("insufficient-resources: subscribe, publish; an existing service may still change at the limit", () => {
  const one = { clients: 9, services: 1, subscriptions: 1 };
  for (const limits of [
    { total: one, user: UNLIMITED },
    { total: UNLIMITED, user: one },
  ]) {
    const peer = new InMemoryDomain({ limits }).client(1);
    assert.is(publish(peer, 1), "complete");
    assert.is(publish(peer, 2), "insufficient-resources");
    assert.is(publish(peer, 1, { generation: 1 }), "complete");
    assert.is(outcome(peer, "unpublish", { "service-id": 2 }), "non-existent-service-id", "it left no trace");
    assert.is(outcome(peer, "unpublish", { "service-id": 1 }), "complete");
    assert.is(publish(peer, 2), "complete");
    assert.is(outcome(peer, "subscribe", { "subscription-id": 1 }), "notify");
    assert.is(outcome(peer, "subscribe", { "subscription-id": 2 }), "insufficient-resources");
    assert.is(outcome(peer, "unsubscribe", { "subscription-id": 2 }), "non-existent-subscription-id");
    assert.is(outcome(peer, "unsubscribe", { "subscription-id": 1 }), "complete");
    assert.is(outcome(peer, "subscribe", { "subscription-id": 2 }), "notify");
  }
});

test("11.2: notifications come before the complete of the request that caused them", () => {
  const memory = new InMemoryDomain();
  const peer = memory.client(1);
  subscribe(peer, 1, { taId: 71 });
  const types = (command: string, fields: object) =>
    ask(peer, command, { ...fields }).map((a) => a["match-type"] ?? a["msg-type"]);
  assert.equal(types("publish", serviceFields(7)), ["appeared", "complete"]);
  assert.equal(types("publish", serviceFields(7, { generation: 1 })), ["modified", "complete"]);
  assert.equal(types("unpublish", { "service-id": 7 }), ["disappeared", "complete"]);
});

test("11.2: for one change, subscriptions are notified in order of creation, indexed or not", () => {
  const memory = new InMemoryDomain();
  const peer = memory.client(1);
  const filters = ["(a=1)", undefined, "(a=*)", "(!(b=1))", "(|(a=1)(a=2))", "(a=1)", "(a>0)"];
  for (const [i, filter] of filters.entries()) subscribe(peer, i + 1, { filter });
  const order = () => received(peer).map((a) => a["ta-id"] as number);
  peer.send(message("request", "publish", 99, serviceFields(7, { props: { a: [1] } })));
  assert.equal(order(), [1, 2, 3, 4, 5, 6, 7, 99]);
  peer.send(message("request", "unsubscribe", 98, { "subscription-id": 1 }));
  received(peer);
  subscribe(peer, 1, { filter: "(a=1)" });
  peer.send(message("request", "publish", 99, serviceFields(7, { generation: 1, props: { a: [1] } })));
  assert.equal(order(), [2, 3, 4, 5, 6, 7, 1, 99]);
});

test("6.3: accept, then what is there in order of creation, orphans included; notify has nothing more on disappeared", () => {
  const memory = new InMemoryDomain();
  const leaving = memory.client(1);
  const staying = memory.client(2, 2);
  for (const id of [9, 3]) publish(leaving, id, { props: { id: [id] }, ttl: 20 });
  publish(staying, 5, { props: { id: [5] } });
  publish(leaving, 9, { generation: 1, props: { id: [9] }, ttl: 20 });
  memory.advanceMs(500);
  leaving.leave();
  const watcher = memory.client(3, 2);
  const answers = subscribe(watcher, 1);
  assert.is(answers[0]["msg-type"], "accept");
  assert.equal(answers[1], {
    "ta-cmd": "subscribe",
    "ta-id": 1,
    "msg-type": "notify",
    "match-type": "appeared",
    "service-id": 9,
    generation: 1,
    "service-props": { id: [9] },
    ttl: 20,
    "client-id": 1,
    "orphan-since": 1_700_000_000.5,
  });
  assert.equal(matches(answers), ["appeared 9 orphan", "appeared 3 orphan", "appeared 5"]);
  assert.equal(
    ask(watcher, "services").map((a) => a["service-id"]),
    [undefined, 9, 3, 5, undefined],
  );
  memory.advanceMs(20_000);
  const gone = received(watcher).sort((a, b) => a["service-id"] - b["service-id"]);
  const disappeared = { "ta-cmd": "subscribe", "ta-id": 1, "msg-type": "notify", "match-type": "disappeared" };
  assert.equal(gone, [
    { ...disappeared, "service-id": 3 },
    { ...disappeared, "service-id": 9 },
  ]);
});

test("6.4: unsubscribe completes the subscription first, then itself; nothing more comes, and both ids are free", () => {
  const memory = new InMemoryDomain();
  const peer = memory.client(1);
  publish(peer, 7);
  subscribe(peer, 1, { taId: 71 });
  peer.send(message("request", "unsubscribe", 72, { "subscription-id": 1 }));
  assert.equal(received(peer), [
    { "ta-cmd": "subscribe", "ta-id": 71, "msg-type": "complete" },
    { "ta-cmd": "unsubscribe", "ta-id": 72, "msg-type": "complete" },
  ]);
  publish(peer, 7, { generation: 1 });
  assert.is(subscribe(peer, 1, { taId: 71 }).length, 2);
});

test("6.5: subscriptions shows canonical filters, oldest first, also those of others", () => {
  const memory = new InMemoryDomain();
  const peer = memory.client(1);
  subscribe(peer, 4, { filter: "(v>+007)" });
  subscribe(memory.client(2), 2);
  assert.equal(ask(peer, "subscriptions").slice(1, -1), [
    { "ta-cmd": "subscriptions", "msg-type": "notify", "subscription-id": 4, "client-id": 1, filter: "(v>7)" },
    { "ta-cmd": "subscriptions", "msg-type": "notify", "subscription-id": 2, "client-id": 2 },
  ]);
});

test("6.5: the longest filters and every kind of character are listed, and cost the asker nothing", () => {
  const memory = new InMemoryDomain();
  const peer = memory.client(1);
  const filters = [
    `(name=${"x".repeat(8000)})`,
    `(name=${"\u0001".repeat(8000)})`,
    `(name=${'"'.repeat(8000)})`,
    `(name=${"\u20ac".repeat(8000)})`,
    "(name=\u0000\n\t\u007f\u2028\ud83d\ude00)",
  ];
  for (const [i, filter] of filters.entries()) assert.is(subscribe(peer, i, { filter }).length, 1);
  peer.send('{"ta-cmd":"subscribe","ta-id":77,"msg-type":"request","subscription-id":77,"filter":"(a=\\ud800)"}');
  received(peer);
  const asker = memory.client(2);
  const listed = ask(asker, "subscriptions");
  assert.equal(
    listed.slice(1, -1).map((a) => a.filter),
    [...filters, "(a=\ud800)"],
  );
  assert.not(asker.closedByServer);
});

test("6.9: clients in order of handshake, without those that only have orphans; fields by the asker's version", () => {
  const memory = new InMemoryDomain();
  const early = memory.connect("tcp:[2001:db8::1]:5");
  memory.advanceMs(1500);
  const three = memory.client(3, 3, "ux:abcde");
  memory.client(2, 2, "uxf:");
  early.send(
    message("request", "hello", 0, { "client-id": 1, "protocol-minimum-version": 2, "protocol-maximum-version": 3 }),
  );
  const gone = memory.client(9);
  publish(gone, 7);
  gone.leave();
  memory.connect();
  memory.advanceMs(250);
  assert.equal(ask(three, "clients").slice(1, -1), [
    entry(3, "ux:abcde", 1_700_000_001, { idle: 0, "protocol-version": 3 }),
    entry(2, "uxf:", 1_700_000_001, { idle: 0.25, "protocol-version": 2 }),
    entry(1, "tcp:[2001:db8::1]:5", 1_700_000_000, { idle: 0.25, "protocol-version": 3 }),
  ]);
  const two = memory.client(4, 2, "ux:");
  assert.equal(ask(two, "clients").slice(1, -1)[0], entry(3, "ux:abcde", 1_700_000_001, {}));
});

const entry = (id: number, address: string, time: number, more: object) => ({
  "ta-cmd": "clients",
  "msg-type": "notify",
  "client-id": id,
  "client-address": address,
  time,
  ...more,
});

test("4: a transaction id may be used again as soon as its transaction has ended", () => {
  const peer = new InMemoryDomain().client(1);
  const send = (command: string, fields: object = {}) => {
    peer.send(message("request", command, 5, { ...fields }));
    return received(peer).at(-1)!["msg-type"];
  };
  assert.is(send("ping"), "complete");
  assert.is(send("ping"), "complete");
  assert.is(send("services"), "complete");
  assert.is(send("subscribe", { "subscription-id": 1, filter: "(" }), "fail", "a refused one has ended too");
  assert.is(send("subscribe", { "subscription-id": 1 }), "accept");
  peer.send(message("request", "unsubscribe", 6, { "subscription-id": 1 }));
  received(peer);
  assert.is(send("track"), "accept", "and after the subscription's complete");
});

test("4: ids of different connections have nothing to do with each other", () => {
  const memory = new InMemoryDomain();
  const [a, b] = [memory.client(1), memory.client(2)];
  subscribe(a, 1, { taId: 5 });
  assert.is(subscribe(b, 2, { taId: 5 }).length, 1);
  b.send(message("request", "ping", 6));
  assert.not(b.closedByServer);
});

test("4: pipelined requests are answered strictly in order", () => {
  const peer = new InMemoryDomain().client(1);
  peer.reading = false;
  for (let i = 0; i < 50; i++) {
    peer.send(message("request", "publish", 3 * i, serviceFields(i)));
    peer.send(message("request", "services", 3 * i + 1));
    peer.send(message("request", "ping", 3 * i + 2));
  }
  peer.reading = true;
  peer.send(message("request", "ping", 999));
  const answers = received(peer);
  const ends = answers.filter((a) => a["msg-type"] === "complete").map((a) => a["ta-id"]);
  assert.equal(ends, [...Array(150).keys(), 999]);
  assert.is(answers.filter((a) => a["ta-cmd"] === "services" && a["msg-type"] === "notify").length, (50 * 51) / 2);
});

test("10.4: unpublish by another client of the same user tells of the new owner first", () => {
  const memory = new InMemoryDomain();
  const owner = memory.client(1);
  const other = memory.client(2);
  publish(owner, 7);
  subscribe(owner, 1, { taId: 71 });
  assert.is(outcome(other, "unpublish", { "service-id": 7 }), "complete");
  const answers = received(owner);
  assert.equal(matches(answers), ["modified 7", "disappeared 7"]);
  assert.is(answers[0]["client-id"], 2);
});

test("10.3: an end makes orphans in order of publication; a TTL of 0 ends at once", () => {
  const memory = new InMemoryDomain();
  const owner = memory.client(1);
  for (const [id, ttl] of [
    [5, 3],
    [4, 0],
    [6, 1],
  ]) {
    publish(owner, id, { ttl });
  }
  subscribe(owner, 9);
  const watcher = memory.client(2);
  subscribe(watcher, 1);
  owner.leave();
  memory.advanceMs(0);
  assert.equal(matches(received(watcher)), [
    "modified 5 orphan",
    "modified 4 orphan",
    "modified 6 orphan",
    "disappeared 4",
  ]);
  memory.advanceMs(1000);
  assert.equal(matches(received(watcher)), ["disappeared 6"]);
  memory.advanceMs(2000);
  assert.equal(matches(received(watcher)), ["disappeared 5"]);
  assert.is(memory.domain.directory.subscriptions.size, 1);
});

test("tracing logs every message of both directions as it was", () => {
  const { lines, log } = recordingLog();
  const memory = new InMemoryDomain({ log, trace: true, name: "home" });
  const peer = memory.client(0xab);
  lines.length = 0;
  subscribe(peer, 1, { taId: 71 });
  publish(peer, 7, { props: { a: ["b"] } });
  const traced = lines
    .filter((line) => /Received|Sent/.test(line))
    .map((line) => line.replace(/^DEBUG home: <0xab> /, ""));
  assert.is(traced.length, 5, lines.join("\n"));
  assert.match(traced[0], /^Received \{"ta-cmd":"subscribe".*\}$/);
  assert.is(traced[1], 'Sent {"ta-cmd":"subscribe","ta-id":71,"msg-type":"accept"}');
  assert.match(traced[3], /^Sent \{"ta-cmd":"subscribe","ta-id":71,.*"service-props":\{"a":\["b"\]\}.*\}$/);
  assert.match(traced[4], /^Sent \{"ta-cmd":"publish",.*"complete"\}$/);
});

test.run();
