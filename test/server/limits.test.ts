/** Users and resource limits (12, 13.3). */

import { test } from "uvu";
import * as assert from "uvu/assert";
import { UNLIMITED } from "../../src/core/limits.js";
import { Domain } from "../../src/server/domain.js";
import { userOf } from "../../src/server/users.js";
import { InMemoryDomain, type PeerIdentity } from "../support/in-memory.js";
import { eventually } from "../support/pafd.js";
import { freshName, PythonPeer, pythonMissing } from "../support/transport-peers.js";
import { ask, helloFields, message, outcome, publish, recordingLog, subscribe } from "./conversation.js";

for (const [address, user, identity] of [
  ["tcp:127.0.0.1:36586", "ip:127.0.0.1"],
  ["tcp:192.0.2.7:1", "ip:192.0.2.7"],
  ["tcp:[::1]:5000", "ip:[::1]"],
  ["tcp:[2001:db8::5]:65535", "ip:[2001:db8::5]"],
  ["tcp:[::ffff:192.0.2.7]:1", "ip:[::ffff:192.0.2.7]"],
  ["ux:037c5", "default"],
  ["ux:", "default"],
  ["ux:a:b:c", "default"],
  ["uxf:", "default"],
  ["ux:037c5", "default", { uid: 1000 }],
  ["ux:037c5", "uid:1000", { uid: 1000, localUser: "uid" }],
  ["uxf:", "uid:0", { uid: 0, localUser: "uid" }],
  ["tcp:192.0.2.7:1", "ip:192.0.2.7", { localUser: "uid" }],
  ["tls:192.0.2.7:1", "ski:f1:1f:00:0a", { subjectKeyId: Uint8Array.of(0xf1, 0x1f, 0, 10) }],
  ["tls:[::1]:1", "ski:", { subjectKeyId: new Uint8Array() }],
] as readonly (readonly [string, string, PeerIdentity?])[]) {
  test(`the user of ${address} ${identity ? `(${JSON.stringify(identity)}) ` : ""}is ${user}`, () => {
    const { lines, log } = recordingLog();
    const memory = new InMemoryDomain({ log });
    const peer = memory.client(0xab, 3, address, identity);
    assert.is(userOf(peer, identity?.localUser ?? "default"), user);
    assert.ok(lines.includes(`INFO <0xab> User id is "${user}".`), lines.join("\n"));
  });
}

test("ports and sockets do not make users: who shares an address shares services", () => {
  const memory = new InMemoryDomain();
  publish(memory.client(1, 3, "tcp:[::1]:1"), 7);
  assert.is(publish(memory.client(2, 3, "tcp:[::1]:2"), 7, { generation: 1 }), "complete");
  assert.is(publish(memory.client(3, 3, "tcp:[::2]:1"), 7, { generation: 2 }), "permission-denied");
  assert.is(publish(memory.client(4, 3, "ux:00001"), 7, { generation: 2 }), "permission-denied");
  publish(memory.client(5, 3, "ux:00002"), 8);
  assert.is(publish(memory.client(6, 3, "uxf:"), 8, { generation: 1 }), "complete");
});

test("a key is a user wherever it comes from; a certificate renewed with the same key stays that user", () => {
  const memory = new InMemoryDomain();
  const [a, b] = [{ subjectKeyId: Uint8Array.of(1, 2, 3) }, { subjectKeyId: Uint8Array.of(1, 2, 4) }];
  const owner = memory.client(1, 3, "tls:10.0.0.1:1", a);
  publish(owner, 7);
  assert.is(publish(memory.client(2, 3, "tls:10.0.0.2:1", a), 7, { generation: 1 }), "complete");
  const other = memory.client(3, 3, "tls:10.0.0.1:2", b);
  assert.is(publish(other, 7, { generation: 2 }), "permission-denied");
  assert.is(outcome(other, "unpublish", { "service-id": 7 }), "permission-denied");
  assert.is(publish(memory.client(4, 3, "tcp:10.0.0.1:3"), 7, { generation: 2 }), "permission-denied");
});

test("the id of a client that left orphans is kept for its user", () => {
  for (const [mine, theirs] of [
    [{ subjectKeyId: Uint8Array.of(1) }, { subjectKeyId: Uint8Array.of(2) }],
    [
      { uid: 1000, localUser: "uid" },
      { uid: 1001, localUser: "uid" },
    ],
  ] as const) {
    const address = "uid" in mine ? "ux:00001" : "tls:10.0.0.1:1";
    const memory = new InMemoryDomain();
    const owner = memory.client(1, 3, address, mine);
    publish(owner, 7);
    owner.leave();
    assert.is(outcome(memory.connect(address, theirs), "hello", helloFields(1)), "permission-denied");
    assert.is(outcome(memory.connect(address, mine), "hello", helloFields(1)), "complete");
  }
});

test("limits per user do not touch other users, limits in total touch everybody", () => {
  const user = { ...UNLIMITED, services: 2, subscriptions: 2 };
  const total = { ...UNLIMITED, services: 3, subscriptions: 3 };
  const memory = new InMemoryDomain({ limits: { total, user } });
  const a1 = memory.client(1, 3, "tcp:10.0.0.1:1");
  const a2 = memory.client(2, 3, "tcp:10.0.0.1:2");
  const b = memory.client(3, 3, "tcp:10.0.0.2:1");
  const take = (peer: typeof a1, id: number) => [
    publish(peer, id),
    outcome(peer, "subscribe", { "subscription-id": id, filter: "(no=such)" }),
  ];
  const refused = ["insufficient-resources", "insufficient-resources"];
  assert.equal(take(a1, 1), ["complete", "accept"]);
  assert.equal(take(a2, 2), ["complete", "accept"]);
  assert.equal(take(a1, 3), refused, "the user's limit");
  assert.equal(take(b, 4), ["complete", "accept"]);
  assert.equal(take(b, 5), refused, "the total limit");
});

test("given back: services by unpublish and expiry but not by becoming orphans, subscriptions by both ends", () => {
  const one = { ...UNLIMITED, services: 1, subscriptions: 1 };
  const memory = new InMemoryDomain({ limits: { total: UNLIMITED, user: one } });
  const first = memory.client(1);
  publish(first, 1, { ttl: 5 });
  subscribe(first, 1);
  first.leave();
  const second = memory.client(2);
  assert.is(publish(second, 2), "insufficient-resources", "the orphan keeps its place");
  assert.is(subscribe(second, 2)[0]["msg-type"], "accept");
  memory.advanceMs(5000);
  assert.is(publish(second, 2), "complete");
  second.send("garbage");
  memory.advanceMs(10_000);
  const third = memory.client(3);
  assert.is(publish(third, 3), "complete");
  assert.is(subscribe(third, 3)[0]["msg-type"], "accept");
  const { counter } = memory.domain.directory;
  assert.equal([counter.used("clients"), counter.used("services"), counter.used("subscriptions")], [1, 1, 1]);
});

test("0 means none allowed", () => {
  const none = { clients: 0, services: 0, subscriptions: 0 };
  const memory = new InMemoryDomain({ limits: { total: UNLIMITED, user: none } });
  assert.is(outcome(memory.connect(), "hello", helloFields(1)), "insufficient-resources");
  const peer = new InMemoryDomain({ limits: { total: UNLIMITED, user: { ...none, clients: 1 } } }).client(1);
  assert.is(publish(peer, 1), "insufficient-resources");
  assert.is(outcome(peer, "subscribe", { "subscription-id": 1 }), "insufficient-resources");
  assert.is(outcome(peer, "ping"), "complete");
});

test("a thousand clients that come and go leave no counts, timers or connections", () => {
  const memory = new InMemoryDomain({ limits: { total: UNLIMITED, user: UNLIMITED } });
  for (let round = 0; round < 10; round++) {
    const peers = Array.from({ length: 100 }, (_, i) => memory.client(i, 2 + (i % 2), `tcp:10.0.0.${i}:${round + 1}`));
    for (const [i, peer] of peers.entries()) {
      publish(peer, i, { generation: round, ttl: 1 });
      subscribe(peer, i, { filter: `(x=${i})` });
    }
    for (const peer of peers) peer.leave();
  }
  memory.advanceMs(1000);
  assert.equal(memory.clock.timers(), []);
  assert.is(memory.domain.connectionCount, 0);
  const { counter, subscriptions, serviceCount, store } = memory.domain.directory;
  assert.equal([counter.used("clients"), counter.used("services"), counter.used("subscriptions")], [0, 0, 0]);
  assert.equal([subscriptions.size, serviceCount, store.usedWords], [0, 0, 0]);
});

test("at the total limit nobody is accepted, hello or not; when a place is free, who waits gets it", async () => {
  const missing = pythonMissing();
  if (missing) {
    console.log(`skipped the total client limit: ${missing}`);
    return;
  }
  const memory = new InMemoryDomain({ limits: { total: { ...UNLIMITED, clients: 2 }, user: UNLIMITED } });
  const { domain } = memory;
  const ux = await domain.listen(`ux:${freshName()}`);
  const tcp = await domain.listen("tcp:127.0.0.1:0");
  const hello = message("request", "hello", 0, helloFields(0)).replace('"client-id":0', '"client-id":%d');
  const peer = new PythonPeer(
    `
hello = sys.argv[3]
def ux():
    s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET); s.connect("\\0" + sys.argv[1][3:]); return s
def tcp():
    s = socket.create_connection(("127.0.0.1", int(sys.argv[2].rsplit(":", 1)[1]))); return s
def ask(s, id):
    text = (hello % id).encode()
    s.sendall(text if s.family == socket.AF_UNIX else struct.pack(">I", len(text)) + text)
def answer(s, seconds):
    s.settimeout(seconds)
    try: return "complete" if b"complete" in s.recv(65535) else "other"
    except socket.timeout: return "nothing"
a = tcp(); ask(a, 1); say(answer(a, 10))
b = ux(); say("connected"); wait()
c = ux(); ask(c, 3); d = tcp(); ask(d, 4)
say(answer(c, 0.3) + " " + answer(d, 0.3)); wait()
b.close()
import select
first = select.select([c, d], [], [], 10)[0][0]
second = d if first is c else c
say(answer(first, 10) + " " + answer(second, 0.3))
a.close(); say(answer(second, 10))
wait()
`,
    ux,
    tcp,
    hello,
  );
  try {
    assert.equal(await peer.says(), ["complete"]);
    assert.equal(await peer.says(), ["connected"]);
    const count = () => domain.connectionCount;
    await eventually(count, (n) => n === 2, "connections");
    peer.tell();
    assert.equal(await peer.says(), ["nothing nothing"]);
    assert.is(domain.connectionCount, 2);
    peer.tell();
    assert.equal(await peer.says(), ["complete nothing"]);
    assert.equal(await peer.says(), ["complete"]);
    assert.is(domain.connectionCount, 2);
  } finally {
    await peer.kill();
    domain.close();
  }
});

test("a total limit of 0 accepts nobody", async () => {
  const memory = new InMemoryDomain({ limits: { total: { ...UNLIMITED, clients: 0 }, user: UNLIMITED } });
  await memory.domain.listen(`ux:${freshName()}`);
  assert.is(memory.domain.connectionCount, 0);
  memory.domain.close();
});

test("listening on a port that the kernel chooses is logged with the port", async () => {
  const { lines, log } = recordingLog();
  const memory = new InMemoryDomain({ log, name: "home" });
  const address = await memory.domain.listen("tcp:127.0.0.1:0");
  assert.match(address, /^tcp:127\.0\.0\.1:[1-9]\d*$/);
  assert.equal(lines, [`INFO home: Listening on ${address} (given as tcp:127.0.0.1:0).`]);
  memory.domain.close();
});

test("closing a domain ends everybody without telling anybody", () => {
  const memory = new InMemoryDomain();
  const peers = [1, 2, 3].map((id) => memory.client(id));
  for (const [i, peer] of peers.entries()) {
    publish(peer, i);
    subscribe(peer, i);
  }
  for (const peer of peers) peer.received.length = 0;
  let written = 0;
  memory.outbox.commit = () => written++;
  memory.domain.close();
  assert.is(written, 0);
  assert.equal(
    peers.map((peer) => [peer.closedByServer, peer.received.length]),
    peers.map(() => [true, 0]),
  );
  assert.is(memory.domain instanceof Domain && memory.domain.connectionCount, 0);
  assert.equal(ask(peers[0], "ping"), []);
});

test.run();
