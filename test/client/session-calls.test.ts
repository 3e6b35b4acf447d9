/** Calls of a session that are given up, by their signal or by the end of the session; and what is traced of them. */

import { suite } from "uvu";
import * as assert from "uvu/assert";
import { ProtocolError, RequestError, Session, SessionClosedError } from "../../src/client/session.js";
import type { Match } from "../../src/core/directory-access.js";
import { properties } from "../../src/core/properties.js";
import { Watch } from "../support/transport-peers.js";
import { countListeners, fakeServer, HELLO_COMPLETE, type LiveDomain, liveDomain, soon } from "./live-domain.js";

const test = suite("session-calls");
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

async function open(clientId: bigint, address = live.ux): Promise<Session> {
  const session = await soon(Session.connect(address, { clientId }), "hello");
  sessions.push(session);
  return session;
}

const failure = (promise: Promise<unknown>): Promise<unknown> =>
  soon(
    promise.then(
      () => "it did not fail",
      (error: unknown) => error,
    ),
    "a rejection",
  );

const service = { id: 7n, generation: 0n, ttlSeconds: 30n, properties: properties({ name: "x" }) };

const CALLS: Readonly<Record<string, (session: Session, signal: AbortSignal) => Promise<unknown>>> = {
  hello: (session, signal) => session.hello({ signal }),
  ping: (session, signal) => session.ping({ signal }),
  publish: (session, signal) => session.publish(service, { signal }),
  unpublish: (session, signal) => session.unpublish(7n, { signal }),
  services: (session, signal) => session.services(undefined, { signal }),
  subscriptions: (session, signal) => session.subscriptions({ signal }),
  clients: (session, signal) => session.clients({ signal }),
  subscribe: (session, signal) => session.subscribe(8n, undefined, () => {}, undefined, { signal }),
  unsubscribe: (session, signal) => session.unsubscribe(8n, { signal }),
  track: (session, signal) => session.track({ signal }),
};

test("a signal ends the waiting of every call with its reason, and the session goes on; aborted before, nothing is sent", async () => {
  const reason = new Error("no patience");
  /** Says nothing until it is pinged with a number that it has not seen. */
  const held: object[] = [];
  const server = await fakeServer((request) => {
    if (request["ta-cmd"] === "hello" && request["ta-id"] === 0) return [HELLO_COMPLETE];
    held.push(request);
    return [];
  });
  const session = await open(1n, server.address);
  let sent = 1;
  for (const [name, call] of Object.entries(CALLS)) {
    const controller = new AbortController();
    const waiting = failure(call(session, controller.signal));
    await server.accepted[0]!.receives(++sent);
    controller.abort(reason);
    assert.is(await waiting, reason, name);
    assert.is(await failure(call(session, AbortSignal.abort(reason))), reason, name);
  }
  assert.is(held.length, sent - 1);
  assert.is(session.ended, undefined);
  server.close();
});

test("the answer to a call that was given up is ignored; a subscription that was given up is ended", async () => {
  const owner = await open(2n);
  await owner.publish(service);
  const session = await open(1n);
  const given = Object.values(CALLS).map((call) => {
    const controller = new AbortController();
    const waiting = failure(call(session, controller.signal));
    controller.abort();
    return waiting;
  });
  for (const error of await Promise.all(given)) assert.is((error as Error).name, "AbortError");
  await session.ping();
  const watcher = await open(3n);
  assert.equal(await watcher.subscriptions(), [], "nobody is subscribed");
  assert.is(session.ended, undefined);
});

test("a signal that aborts after the answer does nothing, and is not held on to", async () => {
  const session = await open(1n);
  const controller = new AbortController();
  const { signal } = controller;
  const listeners = countListeners(signal);
  const seen: Match[] = [];
  const watch = new Watch();
  await session.subscribe(
    8n,
    undefined,
    (match) => {
      seen.push(match);
      watch.happened();
    },
    undefined,
    { signal },
  );
  for (let i = 0; i < 20; i++) await session.ping({ signal });
  assert.is(listeners(), 0);
  controller.abort();
  await session.publish(service);
  await watch.until(() => seen.length === 1, "the match");
});

test("what waits when the session ends is told why, a track query too", async () => {
  const session = await open(1n);
  await session.track();
  const query = failure(session.trackQuery());
  session.close();
  assert.instance(await query, SessionClosedError);
  assert.instance(await failure(session.trackQuery()), SessionClosedError);
  const other = await open(2n);
  await other.track();
  assert.is(await failure(other.trackQuery({ signal: AbortSignal.abort("enough") })), "enough");
});

for (const [what, command, types] of [
  ["a failure after the accept", "services", ["accept", "fail"]],
  ["a failure of a subscription after its accept", "subscribe", ["accept", "fail"]],
  ["two answers", "ping", ["complete", "complete"]],
] as const) {
  test(`what may not come then ends the session: ${what}`, async () => {
    const server = await fakeServer((request) =>
      request["ta-cmd"] === "hello" ? [HELLO_COMPLETE] : types.map((type) => ({ ...request, "msg-type": type })),
    );
    const session = await open(1n, server.address);
    const calling = command === "services" ? session.services() : command === "ping" ? session.ping() : undefined;
    (calling ?? session.subscribe(1n, undefined, () => {})).catch(() => {});
    assert.instance(await soon(session.closed, "the end"), ProtocolError);
    server.close();
  });
}

test("the trace has every message of both directions", async () => {
  const lines: string[] = [];
  const session = await Session.connect(live.tcp, {
    clientId: 5n,
    trace: (direction, text) => lines.push(`${direction} ${text()}`),
  });
  sessions.push(session);
  await session.publish({ ...service, properties: properties({ name: "å" }) });
  assert.instance(await failure(session.unpublish(99n)), RequestError);
  assert.equal(lines, [
    'sent {"ta-cmd":"hello","ta-id":0,"msg-type":"request","client-id":5,"protocol-minimum-version":2,"protocol-maximum-version":3}',
    'received {"ta-cmd":"hello","ta-id":0,"msg-type":"complete","protocol-version":3}',
    'sent {"ta-cmd":"publish","ta-id":1,"msg-type":"request","service-id":7,"generation":0,"service-props":{"name":["å"]},"ttl":30}',
    'received {"ta-cmd":"publish","ta-id":1,"msg-type":"complete"}',
    'sent {"ta-cmd":"unpublish","ta-id":2,"msg-type":"request","service-id":99}',
    'received {"ta-cmd":"unpublish","ta-id":2,"msg-type":"fail","fail-reason":"non-existent-service-id"}',
  ]);
});

test.run();
