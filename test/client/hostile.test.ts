/** Servers that flood, lie, or fall silent: each costs its own link, with an error that says why, and nobody else's. */

import { suite } from "uvu";
import * as assert from "uvu/assert";
import { eventLoop } from "../../src/client/event-loop.js";
import { attach, type Domain, type ServerLimits, Session } from "../../src/client/index.js";
import { endSoon, Watch } from "../support/transport-peers.js";
import { Consumer, ENV, Journal, RestartableServer } from "./attached.js";
import { type Behaviour, HostileServer } from "./hostile-server.js";
import { soon } from "./live-domain.js";

const test = suite("hostile");
let good: RestartableServer;
let hostile: HostileServer;
let domains: Domain[] = [];

test.before.each(async () => {
  good = await RestartableServer.start();
});
test.after.each(() => {
  for (const domain of domains) domain.abandon();
  domains = [];
  good.stop();
  hostile.kill();
  assert.equal(eventLoop().timers.list(), [], "no timer may be left");
});
test.after(endSoon);

const SECONDS_IDLE = { PAF_IDLE_MIN: "1", PAF_IDLE_MAX: "1" };

interface Case {
  readonly limits?: Partial<ServerLimits>;
  readonly env?: Readonly<Record<string, string>>;
  readonly cause: string;
  readonly text: RegExp;
  /** Services of the hostile server that the consumer may be told of. */
  readonly told?: number;
}
const breach = (text: RegExp): Case => ({ cause: "ProtocolError", text });

const CASES: { readonly [behaviour in Behaviour]?: Case } = {
  "endless services": {
    cause: "ServerLimitError",
    text: /^tcp:127\.0\.0\.1:\d+: too many services shown to one subscription \(at most 100000 accepted: matchedServices\)$/,
    told: 100_000,
  },
  "endless properties": {
    limits: { matchedBytes: 10_000_000 },
    cause: "ServerLimitError",
    text: /too many bytes of properties .* \(at most 10000000 accepted: matchedBytes\)/,
    told: 166,
  },
  "queries, and reads no reply": { cause: "ServerLimitError", text: /replies to track queries .*unreadReplies/ },
  "no answer to hello": { env: SECONDS_IDLE, cause: "Error", text: /^no answer to hello within 1 s$/ },
  "a message without end": { env: SECONDS_IDLE, cause: "Error", text: /^no answer to hello within 1 s$/ },
  "silence after hello": { env: SECONDS_IDLE, cause: "Error", text: /^no answer to track within 0\.\d s$/ },
  "no reply to queries": { env: SECONDS_IDLE, cause: "Error", text: /^nothing heard for \d+\.\d s$/ },
  "a message of 2 GiB": { cause: "TransportError", text: /2147483647 bytes/ },
  "a reply to nothing": breach(/transaction 4711, which is not open for publish/),
  "a match for nobody": breach(/transaction 4711, which is not open for subscribe/),
  "text for a number": breach(/"generation" must be an integer/),
  "a number for text": breach(/"match-type" must be a string/),
  "a number for properties": breach(/"service-props" must be an object/),
  "no object": breach(/not a protocol message/),
  "a request": breach(/sends no request/),
  "a generation that goes back": { ...breach(/service 0x1 has generation 6, after 7/), told: 1 },
  "the same service twice": { ...breach(/service 0x1 appeared, but it had appeared before/), told: 1 },
  "the end of a subscription": breach(/ended a subscription on its own/),
  "the end of track": breach(/track: the server ended it/),
  "a reply that was not asked for": breach(/a reply that was not asked for/),
};

function open(addresses: readonly string[], { limits = {}, env = {} }: Partial<Case> = {}, journal = new Journal()) {
  const servers = addresses.map((address) => ({ address }));
  const domain = attach({ servers }, { env: { ...ENV, ...env }, limits, log: journal.log });
  domains.push(domain);
  return domain;
}

for (const [behaviour, expected] of Object.entries(CASES) as [Behaviour, Case][]) {
  test(`${behaviour}: ${expected.cause}; the other server's link goes on`, async () => {
    hostile = await HostileServer.start(behaviour);
    const journal = new Journal();
    const producing = open([good.address]);
    const consuming = open([hostile.address, good.address], expected, journal);
    const heard = new Watch();
    let own = 0;
    let others = 0;
    consuming.subscribe("(name=*)", (match) => {
      if (match.type !== "appeared") return;
      if (!String(match.properties.get("name")).startsWith("own")) others++;
      else {
        own++;
        heard.happened();
      }
    });
    producing.publish({ name: "own 1" });
    await heard.until(() => own === 1, "the good server's service");
    await soon(
      hostile.until(() => hostile.connections >= 2, "another attempt"),
      "another attempt",
    );
    const link = consuming.links.find(({ address }) => address === hostile.address)!;
    assert.match(link.lastError!, expected.text);
    assert.is(link.cause!.name, expected.cause);
    assert.is(link.cause!.message, link.lastError);
    await journal.says(/(Connection lost|Not connected): /);
    producing.publish({ name: "own 2" });
    await heard.until(() => own === 2, "the good server's next service");
    // They may have been told anew by each connection.
    assert.ok(others <= (expected.told ?? 0) * hostile.connections, `${others} services of the hostile server`);
    assert.not(journal.lines.some((line) => line.startsWith(`warning: ${good.address}`)));
    await soon(consuming.close(), "close");
  });
}

test("services that come and go without end: what is remembered of them is bounded, and the good server is heard", async () => {
  hostile = await HostileServer.start("services that come and go");
  const consuming = open([hostile.address, good.address], { limits: { matchedServices: 10 } });
  const consumer = new Consumer(consuming);
  await consumer.hears(200_000);
  open([good.address]).publish({ name: "own" });
  await consumer.until(() => consumer.told[consumer.told.length - 1] === "appeared own", "the good server's service");
  assert.is(consuming.links[0]!.state, "operational");
});

test("the largest TTL there is: the service stays when the link is lost, and no timer overflows", async () => {
  hostile = await HostileServer.start("the largest TTL there is");
  const journal = new Journal();
  const consumer = new Consumer(open([hostile.address], {}, journal));
  await consumer.sees(1);
  hostile.kill();
  await journal.says(/Connection lost/);
  await journal.says(/Not connected/);
  assert.equal(consumer.told, ["appeared undefined"]);
  const { remainingMs } = eventLoop()
    .timers.list()
    .find(({ name }) => name === "wall clock")!;
  assert.ok(remainingMs > 0 && remainingMs <= 10_000, String(remainingMs));
});

for (const [limits, text] of [
  [{ listedElements: 1000 }, /too many elements in one answer \(at most 1000/],
  [{ listedBytes: 100_000 }, /too many bytes in one answer \(at most 100000/],
] as const) {
  test(`a list without end: ${Object.keys(limits)}`, async () => {
    hostile = await HostileServer.start("endless list");
    const session = await soon(Session.connect(hostile.address, { clientId: 1n, limits }), "hello");
    const error = await soon(
      session.services().catch((reason: Error) => reason),
      "the refusal",
    );
    assert.instance(error, Error);
    assert.match((error as Error).message, text);
    assert.is(await soon(session.closed, "the end"), error);
  });
}

test.run();
