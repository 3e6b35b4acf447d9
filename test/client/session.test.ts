/** The client session against a real domain over real sockets, and against servers that break the rules. */

import { suite } from "uvu";
import * as assert from "uvu/assert";
import { ProtocolError, RequestError, Session, SessionClosedError } from "../../src/client/session.js";
import type { Match } from "../../src/core/directory-access.js";
import { properties } from "../../src/core/properties.js";
import { UINT63_MAX } from "../../src/core/uint63.js";
import { TransportError } from "../../src/transport/index.js";
import { freshName, send, serve, Watch } from "../support/transport-peers.js";
import { fakeServer, HELLO_COMPLETE, type LiveDomain, liveDomain, openSockets, soon } from "./live-domain.js";

const test = suite("session");
let live: LiveDomain;
let sessions: Session[] = [];

test.before.each(async () => {
  live = await liveDomain();
});
test.after.each(() => {
  for (const session of sessions) session.close();
  sessions = [];
  live.close();
});

async function open(clientId: bigint, address = live.ux, maxVersion = 3): Promise<Session> {
  const session = await soon(Session.connect(address, { clientId, maxVersion }), "hello");
  sessions.push(session);
  return session;
}

const service = (id: bigint, of: Parameters<typeof properties>[0] = {}, generation = 0n, ttlSeconds = 30n) => ({
  id,
  generation,
  ttlSeconds,
  properties: properties(of),
});

/** Resolves to the error with which `promise` rejects. */
async function failure(promise: Promise<unknown>): Promise<unknown> {
  const outcome = await soon(
    promise.then(
      (value) => ({ value }),
      (error: unknown) => ({ error }),
    ),
    "a rejection",
  );
  assert.ok("error" in outcome, "must reject");
  return outcome.error;
}

async function refusal(promise: Promise<unknown>): Promise<string | undefined> {
  const error = await failure(promise);
  assert.instance(error, RequestError);
  return (error as RequestError).failReason;
}

test("what is published is listed to the last digit, over ux and tcp, in versions 2 and 3", async () => {
  const exact = {
    ...service(UINT63_MAX, { n: [9007199254740993n, -(2n ** 63n)], s: ["a", "1"], __proto__x: "å", "": "" }),
    generation: UINT63_MAX - 1n,
    ttlSeconds: UINT63_MAX - 2n,
  };
  await (await open(UINT63_MAX)).publish(exact);
  for (const [address, version, id] of [
    [live.ux, 3, 1n],
    [live.tcp, 2, 2n],
  ] as const) {
    const session = await open(id, address, version);
    assert.is(session.protocolVersion, version);
    const [found] = await session.services();
    assert.equal({ ...found, properties: new Map(found.properties) }, { ...exact, owner: UINT63_MAX });
    const clients = await session.clients();
    assert.equal(
      clients.map((client) => client.id).filter((client) => client === UINT63_MAX || client === id),
      [UINT63_MAX, id],
    );
    assert.is(clients[0].idleSeconds === undefined, version === 2);
  }
});

test("each refusal rejects with its reason, and the session stays good", async () => {
  const session = await open(1n);
  await session.publish(service(7n, { a: 1 }, 5n));
  assert.is(await refusal(session.publish(service(7n, { a: 2 }, 5n))), "same-generation-but-different");
  assert.is(await refusal(session.publish(service(7n, { a: 2 }, 4n))), "old-generation");
  assert.is(await refusal(session.unpublish(8n)), "non-existent-service-id");
  assert.is(await refusal(session.unsubscribe(8n)), "non-existent-subscription-id");
  assert.is(await refusal(session.services("(a=")), "invalid-filter-syntax");
  assert.is(await refusal(session.subscribe(9n, "(a=", () => {})), "invalid-filter-syntax");
  await session.subscribe(9n, undefined, () => {});
  assert.is(await refusal(session.subscribe(9n, undefined, () => {})), "subscription-id-exists");
  await session.track();
  assert.is(await refusal(session.track()), "track-exists");
  await session.ping();
});

test("a hello that is refused rejects with its reason and leaves no socket", async () => {
  await open(1n);
  const before = openSockets();
  assert.is(await refusal(Session.connect(live.ux, { clientId: 1n })), "client-id-exists");
  const limited = await liveDomain({ versions: { min: 2, max: 2 } });
  assert.is(
    await refusal(Session.connect(limited.ux, { clientId: 1n, minVersion: 3 })),
    "unsupported-protocol-version",
  );
  limited.close();
  await (await open(2n)).ping(); // by now the server has noticed too
  assert.is(openSockets(), before + 2, "only the session just opened, at both of its ends");
});

test("nobody listening, and addresses that are none", async () => {
  for (const [address, code] of [
    [`ux:${freshName()}`, "ECONNREFUSED"],
    ["uxf:/nonexistent/socket", "ECONNREFUSED"],
    ["nonsense", "EINVAL"],
    ["sctp:127.0.0.1:1", "ENOPROTOOPT"],
  ] as const) {
    const error = await failure(Session.connect(address, { clientId: 1n }));
    assert.instance(error, TransportError);
    assert.is((error as TransportError).code, code, address);
  }
});

test("matches: appeared, modified, orphan, taken over, disappeared; none after unsubscribe", async () => {
  const seen: Match[] = [];
  const watch = new Watch();
  const watcher = await open(1n);
  const owner = await open(2n);
  await owner.publish(service(7n, { name: "a" }));
  await watcher.subscribe(70n, "(name=a)", (match) => {
    seen.push(match);
    watch.happened();
  });
  await owner.publish(service(7n, { name: "a", n: 1 }, 1n));
  await watch.until(() => seen.length === 2, "two matches");
  owner.close();
  await watch.until(() => seen.length === 3, "the orphan");
  await (await open(3n)).publish(service(7n, { name: "a", n: 1 }, 1n));
  await watch.until(() => seen.length === 4, "the take-over");
  await watcher.publish(service(7n, { name: "b" }, 2n));
  await watch.until(() => seen.length === 5, "the end");
  await watcher.unsubscribe(70n);
  await watcher.publish(service(7n, { name: "a" }, 3n));
  await watcher.ping();
  const shown = seen.map((match) =>
    match.type === "disappeared"
      ? [match.type, match.serviceId]
      : [match.type, match.service.owner, match.service.generation, match.service.orphanSince !== undefined],
  );
  assert.equal(shown, [
    ["appeared", 2n, 0n, false],
    ["modified", 2n, 1n, false],
    ["modified", 2n, 1n, true],
    ["modified", 3n, 1n, false],
    ["disappeared", 7n],
  ]);
});

test("requests are pipelined: many are under way at once and answered in order", async () => {
  const session = await open(1n, live.tcp);
  const order: number[] = [];
  const publishing = Array.from({ length: 2000 }, (_, i) =>
    session.publish(service(BigInt(i), { name: `s${i}` })).then(() => void order.push(i)),
  );
  const listing = session.services("(name=s1999)");
  await soon(Promise.all(publishing), "2000 answers");
  assert.equal(
    order,
    Array.from({ length: 2000 }, (_, i) => i),
  );
  assert.is((await listing).length, 1);
});

test("10,000 services are listed completely", async () => {
  const session = await open(1n);
  const ids = Array.from({ length: 10_000 }, (_, i) => UINT63_MAX - BigInt(i));
  await soon(Promise.all(ids.map((id) => session.publish(service(id, { name: "x", n: id })))), "publishing");
  const found = await soon((await open(2n, live.tcp)).services("(name=x)"), "10,000 services");
  assert.is(found.length, ids.length);
  assert.ok(
    found.every((one, i) => one.id === ids[i] && one.properties.get("n")?.[0] === ids[i]),
    "in order of creation, each with its own properties",
  );
});

test("track keeps an idle session that would be dropped without it", async () => {
  const strict = await liveDomain({ idle: { min: 0.8, max: 0.8 } });
  try {
    const tracking = await open(1n, strict.ux);
    await tracking.track();
    const silent = await open(2n, strict.ux);
    assert.instance(await soon(silent.closed, "the silent one's end"), SessionClosedError);
    const clients = await tracking.clients();
    assert.equal(
      clients.map((client) => client.id),
      [1n],
    );
    assert.type(clients[0].latencySeconds, "number");
  } finally {
    strict.close();
  }
});

test("a query for a sign of life is answered; another only after it, and none without track", async () => {
  const session = await open(1n, live.tcp);
  assert.match(String(await failure(session.trackQuery())), /track was not accepted/);
  await session.track();
  const query = session.trackQuery();
  assert.match(String(await failure(session.trackQuery())), /under way/);
  await soon(query, "the reply");
  await soon(session.trackQuery(), "the second reply");
});

for (const [what, answers] of [
  ["a reply that nobody asked for", [{ "msg-type": "accept" }, { "msg-type": "notify", "track-type": "reply" }]],
  ["the end of tracking", [{ "msg-type": "accept" }, { "msg-type": "complete" }]],
  ["a refusal after the accept", [{ "msg-type": "accept" }, { "msg-type": "fail", "fail-reason": "track-exists" }]],
  ["a second accept", [{ "msg-type": "accept" }, { "msg-type": "accept" }]],
] as const) {
  test(`track: ${what} ends the session`, async () => {
    const server = await fakeServer((request) =>
      request["ta-cmd"] === "hello" ? [HELLO_COMPLETE] : answers.map((answer) => ({ ...request, ...answer })),
    );
    const session = await open(1n, server.address);
    await session.track();
    assert.instance(await soon(session.closed, "the end"), ProtocolError);
    server.close();
  });
}

test("it is told of the connection, of every message, and of a subscription's end", async () => {
  const heard: string[] = [];
  const session = await soon(
    Session.connect(live.ux, {
      clientId: 1n,
      onConnected: () => heard.push("connected"),
      onHeard: () => heard.push("heard"),
    }),
    "hello",
  );
  sessions.push(session);
  assert.equal(heard, ["connected", "heard"]);
  let ends = 0;
  await session.subscribe(
    5n,
    undefined,
    () => {},
    () => ends++,
  );
  assert.is(ends, 0);
  await session.unsubscribe(5n);
  await session.ping();
  assert.equal([ends, heard.length], [1, 6]);
});

test("close: what is open rejects, later requests too, `closed` settles without an error; twice is harmless", async () => {
  const session = await open(1n);
  const pinging = failure(session.ping());
  session.close();
  session.close();
  assert.instance(await pinging, SessionClosedError);
  assert.instance(await failure(session.ping()), SessionClosedError);
  assert.is(await soon(session.closed, "the end"), undefined);
});

test("the server goes: what is open rejects and `closed` says why", async () => {
  for (const address of [live.ux, live.tcp]) {
    const session = await open(BigInt(address.length), address);
    await session.subscribe(1n, undefined, () => {});
    await session.unsubscribe(1n);
  }
  const pending = sessions.map((session) => failure(session.services()));
  live.domain.close();
  for (const error of await Promise.all(pending)) {
    assert.ok(error instanceof SessionClosedError || error instanceof TransportError, String(error));
  }
  for (const session of sessions) assert.ok(await soon(session.closed, "the end"), "with a reason");
});

test("the signal ends connecting and the handshake with its reason, and does nothing afterwards", async () => {
  const reason = new Error("no patience");
  const before = openSockets();
  assert.is(await failure(Session.connect(live.tcp, { clientId: 1n, signal: AbortSignal.abort(reason) })), reason);

  const mute = await fakeServer(() => []);
  const controller = new AbortController();
  const connecting = failure(Session.connect(mute.address, { clientId: 1n, signal: controller.signal }));
  await mute.connections(1);
  await mute.accepted[0].receives(1);
  controller.abort(reason);
  assert.is(await connecting, reason);
  await mute.accepted[0].ends();
  mute.close();

  const later = new AbortController();
  const session = await Session.connect(live.ux, { clientId: 1n, signal: later.signal });
  sessions.push(session);
  later.abort(reason);
  await session.ping();
  assert.is(openSockets(), before + 2, "only the last session, at both of its ends");
});

test("members that a later protocol may add are ignored", async () => {
  const server = await fakeServer((request) => {
    const common = { ...request, extra: { deep: [1, { x: null }] }, "later-field": -1.5e3 };
    if (request["ta-cmd"] === "hello") return [{ ...common, "msg-type": "complete", "protocol-version": 3 }];
    if (request["ta-cmd"] === "ping") return [{ ...common, "msg-type": "complete" }];
    return [
      { ...common, "msg-type": "accept" },
      {
        ...common,
        "msg-type": "notify",
        "service-id": 1,
        generation: 0,
        ttl: 5,
        "client-id": 2,
        "service-props": { a: [1] },
      },
      { ...common, "msg-type": "complete" },
    ];
  });
  const session = await open(1n, server.address);
  await session.ping();
  const [found] = await session.services();
  assert.equal([found.id, found.ttlSeconds, found.properties.get("a")], [1n, 5n, [1n]]);
  server.close();
});

test("a failure without a reason, or with one that nobody knows yet", async () => {
  const server = await fakeServer((request) => {
    if (request["ta-cmd"] === "hello") return [HELLO_COMPLETE];
    const reason = request["ta-cmd"] === "ping" ? {} : { "fail-reason": "out-of-cheese" };
    return [{ "ta-cmd": request["ta-cmd"], "ta-id": request["ta-id"], "msg-type": "fail", ...reason }];
  });
  const session = await open(1n, server.address);
  assert.is(await refusal(session.ping()), undefined);
  assert.is(await refusal(session.unpublish(1n)), "out-of-cheese");
  server.close();
});

const GARBAGE: readonly (readonly [string, string])[] = [
  ["no JSON", "\x00\xff garbage"],
  ["JSON, but no object", "[1,2,3]"],
  ["cut off", '{"ta-cmd":"ping","ta-id":1'],
  ["another command", '{"ta-cmd":"publish","ta-id":1,"msg-type":"complete"}'],
  ["an unknown command", '{"ta-cmd":"explode","ta-id":1,"msg-type":"complete"}'],
  ["a transaction that is not open", '{"ta-cmd":"ping","ta-id":99,"msg-type":"complete"}'],
  ["a request", '{"ta-cmd":"ping","ta-id":1,"msg-type":"request"}'],
  ["an accept where there is none", '{"ta-cmd":"ping","ta-id":1,"msg-type":"accept"}'],
  ["an answer before its accept", '{"ta-cmd":"subscriptions","ta-id":2,"msg-type":"complete"}'],
  ["a notification before its accept", '{"ta-cmd":"track","ta-id":3,"msg-type":"notify","track-type":"query"}'],
  ["nested too deep", `{"x":${"[".repeat(60_000)}`],
  ["numbers out of range", '{"ta-cmd":"ping","ta-id":18446744073709551617,"msg-type":"complete"}'],
];

for (const [what, message] of GARBAGE) {
  test(`garbage from the server ends the session with a ProtocolError: ${what}`, async () => {
    const server = await serve(`ux:${freshName()}`, (text, connection) => {
      send(connection, text.includes('"hello"') ? JSON.stringify(HELLO_COMPLETE) : message);
    });
    const session = await open(1n, server.address);
    const listing = failure(session.ping());
    const others = [failure(session.subscriptions()), failure(session.track())];
    assert.instance(await listing, ProtocolError);
    await Promise.all(others);
    assert.instance(await soon(session.closed, "the end"), ProtocolError);
    await server.accepted[0].ends();
    server.close();
  });
}

test("garbage instead of the hello, a version that was not offered, a notify without its state", async () => {
  const answers: readonly (readonly object[])[] = [
    [{ "ta-cmd": "hello", "ta-id": 0, "msg-type": "complete" }],
    [{ ...HELLO_COMPLETE, "protocol-version": 4 }],
    [{ ...HELLO_COMPLETE, "ta-id": 7 }],
  ];
  for (const answer of answers) {
    const server = await fakeServer(() => answer);
    assert.instance(await failure(Session.connect(server.address, { clientId: 1n })), ProtocolError);
    await server.accepted[0].ends();
    server.close();
  }
  const server = await fakeServer((request) =>
    request["ta-cmd"] === "hello"
      ? [HELLO_COMPLETE]
      : [
          { ...request, "msg-type": "accept" },
          { ...request, "msg-type": "notify", "match-type": "appeared", "service-id": 1 },
        ],
  );
  const session = await open(1n, server.address);
  void session.subscribe(1n, undefined, () => assert.unreachable("no match may be told")).catch(() => {});
  assert.instance(await soon(session.closed, "the end"), ProtocolError);
  server.close();
});

test("a server that talks before it is asked is refused and leaves no socket", async () => {
  const before = openSockets();
  const server = await serve(`ux:${freshName()}`);
  server.onAccept = ({ connection }) => send(connection, "hello there");
  const error = await failure(Session.connect(server.address, { clientId: 1n }));
  assert.instance(error, ProtocolError);
  await server.accepted[0].ends();
  server.close();
  assert.is(openSockets(), before);
});

test("a request longer than a server reads is refused here, and the session stays good", async () => {
  const session = await open(1n);
  const error = await failure(session.publish(service(1n, { text: "x".repeat(65_536) })));
  assert.is((error as TransportError).code, "EMSGSIZE");
  assert.match((error as Error).message, /publish request of 65\d+ bytes/);
  await session.publish(service(1n, { text: "x".repeat(60_000) }));
  const [found] = await session.services();
  assert.is(String(found.properties.get("text")).length, 60_000);
});

test("an exception in the owner of a subscription ends that session and no other", async () => {
  const other = await open(2n);
  const session = await open(1n);
  const bug = new Error("bug in the application");
  await session.subscribe(1n, undefined, () => {
    throw bug;
  });
  await other.publish(service(1n));
  assert.is(await soon(session.closed, "the end"), bug);
  await other.ping();
});

test.run();
