/** hello: versions, the order of its checks, sticky client ids, contested ids, the handshake limit (6.1, 4.1, 9.1, 9.4). */

import { test } from "uvu";
import * as assert from "uvu/assert";
import { UNLIMITED } from "../../src/core/limits.js";
import { MAX_CONTESTED } from "../../src/server/handshake.js";
import { InMemoryDomain, type Peer } from "../support/in-memory.js";
import { ask, helloFields, message, outcome, publish, received, recordingLog } from "./conversation.js";

const hello = (peer: Peer, id: number, min = 2, max = 3) => outcome(peer, "hello", helloFields(id, min, max));

for (const [server, client, expected] of [
  [[2, 3], [2, 3], 3],
  [[2, 3], [2, 2], 2],
  [[2, 3], [3, 3], 3],
  [[2, 3], [0, 99], 3],
  [[2, 3], [0, 2], 2],
  [[2, 3], [0, 1], undefined],
  [[2, 3], [4, 9], undefined],
  [[2, 3], [3, 2], undefined],
  [[2, 3], [9, 2], undefined],
  [[2, 2], [2, 3], 2],
  [[2, 2], [3, 3], undefined],
  [[3, 3], [2, 3], 3],
  [[3, 3], [2, 2], undefined],
] as const) {
  test(`server ${server.join("–")}, client ${client.join("–")}: ${expected ?? "unsupported-protocol-version"}`, () => {
    const memory = new InMemoryDomain({ versions: { min: server[0], max: server[1] } });
    const [answer] = ask(memory.connect(), "hello", helloFields(1, client[0], client[1]));
    assert.equal(
      answer,
      expected
        ? { "ta-cmd": "hello", "msg-type": "complete", "protocol-version": expected }
        : { "ta-cmd": "hello", "msg-type": "fail", "fail-reason": "unsupported-protocol-version" },
    );
  });
}

test("the largest id and version numbers", () => {
  const peer = new InMemoryDomain().connect();
  peer.send(
    `{"ta-cmd":"hello","ta-id":9223372036854775807,"msg-type":"request","client-id":9223372036854775807,"protocol-minimum-version":0,"protocol-maximum-version":9223372036854775807}`,
  );
  assert.equal(peer.received, [
    `{"ta-cmd":"hello","ta-id":9223372036854775807,"msg-type":"complete","protocol-version":3}`,
  ]);
});

test("1. the client id sticks, even if the hello fails; 2. another one gives permission-denied and changes nothing", () => {
  const memory = new InMemoryDomain();
  const peer = memory.connect();
  assert.is(hello(peer, 1, 9, 9), "unsupported-protocol-version");
  assert.is(hello(peer, 2), "permission-denied");
  assert.is(hello(peer, 2, 9, 9), "permission-denied", "the id is checked before the versions");
  assert.is(hello(peer, 1), "complete");
  assert.is(hello(peer, 2), "permission-denied");
  assert.is(outcome(peer, "ping"), "complete");
  assert.not(peer.closedByServer);
  assert.is(hello(memory.connect(), 2), "complete", "the refused id was not taken");
});

test("3. a repeated hello completes with the version in use, whatever it asks for", () => {
  const peer = new InMemoryDomain().client(1, 2);
  for (const [min, max] of [
    [2, 3],
    [9, 9],
    [3, 2],
  ]) {
    assert.equal(ask(peer, "hello", helloFields(1, min, max)), [
      { "ta-cmd": "hello", "msg-type": "complete", "protocol-version": 2 },
    ]);
  }
  assert.is(ask(peer, "clients").length, 3, "accept, itself, complete: it is listed once");
});

test("4. versions are checked before the client id's use", () => {
  const memory = new InMemoryDomain();
  const owner = memory.client(1);
  owner.send(message("request", "track", 5));
  received(owner);
  assert.is(hello(memory.connect(), 1, 9, 9), "unsupported-protocol-version");
  assert.equal(received(owner), [], "nobody was put through a liveness check");
});

test("5. client-id-exists comes before permission-denied and insufficient-resources", () => {
  const user = { ...UNLIMITED, clients: 1 };
  const memory = new InMemoryDomain({ limits: { total: UNLIMITED, user } });
  memory.client(1, 3, "tcp:10.0.0.1:1");
  assert.is(hello(memory.connect("tcp:10.0.0.2:1"), 1), "client-id-exists", "although another user's");
  assert.is(hello(memory.connect("tcp:10.0.0.1:2"), 1), "client-id-exists", "although at the limit");
});

test("6. the id of another user's orphans: permission-denied, before insufficient-resources; free when they are gone", () => {
  const user = { ...UNLIMITED, clients: 1 };
  const memory = new InMemoryDomain({ limits: { total: UNLIMITED, user } });
  const owner = memory.client(1, 3, "tcp:10.0.0.1:1");
  publish(owner, 7, { ttl: 10 });
  owner.leave();
  memory.client(2, 3, "tcp:10.0.0.2:1"); // the second user's one client
  const other = memory.connect("tcp:10.0.0.2:2");
  assert.is(hello(other, 1), "permission-denied");
  assert.is(hello(memory.connect("tcp:10.0.0.1:2"), 1), "complete", "the same user may come back");
  memory.peers.at(-1)!.leave();
  memory.advanceMs(10_000);
  const late = memory.connect("tcp:10.0.0.3:1");
  assert.is(hello(late, 1), "complete", "the orphans have expired");
});

test("7. insufficient-resources at the user's limit; the same connection succeeds when a place is free", () => {
  const memory = new InMemoryDomain({ limits: { total: UNLIMITED, user: { ...UNLIMITED, clients: 1 } } });
  const first = memory.client(1);
  const second = memory.connect();
  assert.is(hello(second, 2), "insufficient-resources");
  assert.is(outcome(second, "ping"), "no-hello");
  first.leave();
  assert.is(hello(second, 2), "complete");
});

const REQUESTS: readonly (readonly [string, object])[] = [
  ["ping", {}],
  ["subscriptions", {}],
  ["services", {}],
  ["services", { filter: "((not a filter" }],
  ["clients", {}],
  ["publish", { "service-id": 1, generation: 1, "service-props": {}, ttl: 1 }],
  ["unpublish", { "service-id": 1 }],
  ["subscribe", { "subscription-id": 1, filter: "((not a filter" }],
  ["unsubscribe", { "subscription-id": 1 }],
];

test("no-hello: every command of version 2 before the handshake; the connection goes on", () => {
  const memory = new InMemoryDomain();
  const peer = memory.connect();
  for (const [command, fields] of REQUESTS) {
    assert.equal(ask(peer, command, { ...fields }), [
      { "ta-cmd": command, "msg-type": "fail", "fail-reason": "no-hello" },
    ]);
  }
  assert.is(hello(peer, 1), "complete");
  assert.is(memory.domain.directory.serviceCount, 0);
});

test("track before hello drops, and so does a malformed request", () => {
  for (const [command, fields] of [
    ["track", {}],
    ["unpublish", {}],
    ["ping", { filter: "(a=b)" }],
  ] as const) {
    const peer = new InMemoryDomain().connect();
    assert.equal(ask(peer, command, fields), []);
    assert.ok(peer.closedByServer, command);
  }
});

test("track after a failed hello: no-hello if version 3 was agreed on, dropped if not", () => {
  const memory = new InMemoryDomain();
  memory.client(1);
  const agreed = memory.connect();
  assert.is(hello(agreed, 1), "client-id-exists");
  assert.is(outcome(agreed, "track"), "no-hello");
  assert.not(agreed.closedByServer);
  const two = memory.connect();
  assert.is(hello(two, 1, 2, 2), "client-id-exists");
  ask(two, "track");
  assert.ok(two.closedByServer, "version 2 was negotiated");
  const back = memory.connect();
  assert.is(hello(back, 1), "client-id-exists");
  assert.is(hello(back, 1, 9, 9), "unsupported-protocol-version");
  ask(back, "track");
  assert.ok(back.closedByServer, "the version 2 table applies again");
});

test("a connection that never says hello lives 2 to 3 s; refused requests do not prolong that", () => {
  const { lines, log } = recordingLog();
  const memory = new InMemoryDomain({ log });
  const silent = memory.connect("tcp:10.0.0.1:5");
  const busy = memory.connect();
  memory.advanceMs(1900);
  assert.is(outcome(busy, "ping"), "no-hello");
  assert.is(hello(busy, 1, 9, 9), "unsupported-protocol-version");
  assert.not(silent.closedByServer || busy.closedByServer);
  memory.advanceMs(1100);
  assert.ok(silent.closedByServer && busy.closedByServer);
  assert.is(memory.domain.connectionCount, 0);
  assert.equal(memory.clock.timers(), []);
  assert.ok(lines.some((line) => /^DEBUG .*"tcp:10\.0\.0\.1:5".* 2 s/.test(line)));
});

test("contested: the owner is asked; if it answers it stays, and the other may go on trying without a limit", () => {
  const memory = new InMemoryDomain();
  const owner = memory.client(1);
  owner.send(message("request", "track", 5));
  received(owner);
  const other = memory.connect();
  for (let round = 0; round < 5; round++) {
    assert.is(hello(other, 1), "client-id-exists");
    assert.equal(received(owner), [{ "ta-cmd": "track", "ta-id": 5, "msg-type": "notify", "track-type": "query" }]);
    assert.is(hello(other, 1), "client-id-exists");
    assert.equal(received(owner), [], "it is being asked already");
    owner.send(message("inform", "track", 5, { "track-type": "reply" }));
    memory.advanceMs(5000);
    assert.not(owner.closedByServer || other.closedByServer);
  }
  owner.leave();
  assert.is(hello(other, 1), "complete");
});

for (const tracks of [true, false]) {
  test(`contested: an owner that ${tracks ? "tracks" : "does not track"} and stays silent goes after half its time`, () => {
    const memory = new InMemoryDomain({ idle: { min: 4, max: 30 } });
    const owner = memory.client(1);
    if (tracks) owner.send(message("request", "track", 5));
    memory.advanceMs(5000);
    const other = memory.connect();
    memory.advanceMs(500); // or the end of its handshake time would coincide with the end of the owner
    assert.is(hello(other, 1), "client-id-exists");
    memory.advanceMs(14_999);
    assert.not(owner.closedByServer);
    memory.advanceMs(1);
    assert.ok(owner.closedByServer);
    assert.is(hello(other, 1), "complete");
  });
}

test("contested: any word of the owner saves it, also one that comes before a second attempt", () => {
  const memory = new InMemoryDomain();
  const owner = memory.client(1);
  const other = memory.connect();
  assert.is(hello(other, 1), "client-id-exists");
  memory.advanceMs(14_000);
  assert.is(outcome(owner, "ping"), "complete");
  memory.advanceMs(13_000);
  assert.not(owner.closedByServer);
});

test("contested: the owner's time is that of the services it has now", () => {
  const memory = new InMemoryDomain({ idle: { min: 4, max: 30 } });
  const owner = memory.client(1);
  publish(owner, 7, { ttl: 4 });
  assert.is(outcome(owner, "unpublish", { "service-id": 7 }), "complete");
  const other = memory.connect();
  assert.is(hello(other, 1), "client-id-exists");
  memory.advanceMs(14_999);
  assert.not(owner.closedByServer, "15 s, not 2 s");
  memory.advanceMs(1);
  assert.ok(owner.closedByServer);
});

test("contested: only so many may go on trying at a time; a place that becomes free is taken by the next", () => {
  const memory = new InMemoryDomain();
  memory.client(1, 2);
  const trying = Array.from({ length: MAX_CONTESTED + 2 }, () => memory.connect());
  for (const peer of trying) assert.is(hello(peer, 1), "client-id-exists");
  memory.advanceMs(10_000);
  assert.equal(
    trying.map((peer) => peer.closedByServer),
    trying.map((_, i) => i >= MAX_CONTESTED),
  );
  trying[0].leave();
  assert.is(hello(trying[1], 2), "permission-denied", "it has another client id for good");
  const next = memory.connect();
  assert.is(hello(next, 1), "client-id-exists");
  memory.advanceMs(10_000);
  assert.not(next.closedByServer);
  for (const peer of [...trying, next]) peer.leave();
  assert.is(memory.domain.contested.size, 0);
});

test("contested: a version 2 owner always survives; the other is dropped soon after it has gone", () => {
  const memory = new InMemoryDomain();
  const owner = memory.client(1, 2);
  const other = memory.connect();
  assert.is(hello(other, 1), "client-id-exists");
  memory.advanceMs(100_000);
  assert.not(owner.closedByServer || other.closedByServer);
  owner.leave();
  memory.advanceMs(1000);
  assert.ok(other.closedByServer, "its two seconds are over and nobody contests the id");
});

test("a client that comes back while its old connection is open replaces nothing", () => {
  const memory = new InMemoryDomain();
  const owner = memory.client(1);
  publish(owner, 7);
  const other = memory.connect();
  assert.is(hello(other, 1), "client-id-exists");
  other.leave();
  const [, service] = ask(memory.client(2), "services");
  assert.not("orphan-since" in service, "the end of the contender orphans nothing");
  assert.equal(ask(owner, "ping").length, 1);
});

test("before the handshake only short messages are taken, after it long ones", () => {
  const memory = new InMemoryDomain();
  const peer = memory.connect();
  assert.is(peer.maxMessageLength, 4096);
  assert.is(hello(peer, 1, 4, 5), "unsupported-protocol-version");
  assert.is(peer.maxMessageLength, 4096);
  assert.is(hello(peer, 1), "complete");
  assert.is(peer.maxMessageLength, 65_535);
});

test("version 3 turns TCP keepalive off, version 2 leaves it on", () => {
  const memory = new InMemoryDomain();
  assert.is(memory.client(1, 3, "tcp:10.0.0.1:1").keepalive, false);
  assert.is(memory.client(2, 2, "tcp:10.0.0.1:2").keepalive, true);
});

test.run();
