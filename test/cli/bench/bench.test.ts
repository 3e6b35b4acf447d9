/** `pafc ADDR bench` against real servers: what is printed, what the server holds meanwhile, and that nothing stays. */

import { suite } from "uvu";
import * as assert from "uvu/assert";
import { inWindow, propertiesOf } from "../../../src/cli/bench/population.js";
import { progressLine } from "../../../src/cli/bench/progress.js";
import { loadTable, operationsTable } from "../../../src/cli/bench/results.js";
import { Session } from "../../../src/client/session.js";
import type { Match } from "../../../src/core/directory-access.js";
import { fakeServer, HELLO_COMPLETE, type LiveDomain, liveDomain, openSockets } from "../../client/live-domain.js";
import { Authority, opensslMissing, tlsDirectory } from "../../support/certificates.js";
import { boundAddress, startPafd } from "../../support/pafd.js";
import { Watch } from "../../support/transport-peers.js";
import { pafc, Run } from "../run.js";

const test = suite("bench");
const KINDS = ["subscribe", "unsubscribe", "publish", "unpublish", "ping"];
let live: LiveDomain;
let sockets = 0;

test.before.each(async () => {
  sockets = openSockets();
  live = await liveDomain();
});
test.after.each(() => {
  live.close();
  assert.is(openSockets(), sockets, "no socket is left");
});

/** What the server holds when the benchmark has gone. */
async function assertClean(address: string): Promise<void> {
  assert.is((await pafc(address, "services")).stdout.split("\n").length, 2);
  assert.is((await pafc(address, "subscriptions")).stdout.split("\n").length, 2);
}

const TIMES = / +16( +\d+\.\d{3}){3}$/;

test("the table, over ux and tcp; version 2 too", async () => {
  for (const words of [[live.ux], [live.tcp], ["-p", "2", live.tcp]]) {
    const { code, stdout, stderr } = await pafc(...words, "bench", "20", "10");
    assert.equal({ code, stderr }, { code: 0, stderr: "" }, stdout);
    const [header, ...rows] = stdout.split("\n").slice(0, -1);
    assert.is(header, "Operation         Count  Mean [ms]   Min [ms]   Max [ms]");
    assert.equal(
      rows.map((row) => row.split(" ")[0]),
      KINDS,
    );
    for (const row of rows) {
      assert.is(row.length, header.length);
      assert.match(row, TIMES);
    }
    await assertClean(live.ux);
  }
});

test("JSON, with a load of clients", async () => {
  const { code, stdout, stderr } = await pafc(
    ...["--json", live.ux, "bench", "5", "0", "--clients", "20", "--seconds", "0.2"],
  );
  assert.equal({ code, stderr }, { code: 0, stderr: "" }, stdout);
  assert.is(stdout.indexOf("\n"), stdout.length - 1);
  const { services, subscriptions, operations, load } = JSON.parse(stdout);
  assert.equal([services, subscriptions], [5, 0]);
  for (const { name, count, meanMs, minMs, maxMs } of operations) {
    assert.ok(count === 16 && minMs > 0 && minMs <= meanMs && meanMs <= maxMs, name);
  }
  assert.is(load.clients, 20);
  assert.ok(load.seconds >= 0.2);
  const counts = load.latencies.map(({ count }: { count: number }) => count);
  assert.equal([...new Set(counts)], [load.operations / 4], "each loop is complete");
  assert.ok(Math.abs(load.perSecond - load.operations / load.seconds) < load.perSecond / 100);
  assert.equal(
    load.latencies.map(({ name }: { name: string }) => name),
    ["publish", "modify", "ping", "unpublish"],
  );
  for (const { name, p50Ms, p90Ms, p99Ms, maxMs } of load.latencies) {
    assert.ok(p50Ms > 0 && p50Ms <= p90Ms && p90Ms <= p99Ms && p99Ms <= maxMs, name);
  }
  await assertClean(live.ux);
});

test("the reference's services and filters are there while it runs, and an interrupt withdraws them", async () => {
  const witness = await Session.connect(live.ux, { clientId: 1n });
  const watch = new Watch();
  const seen: Match[] = [];
  await witness.subscribe(1n, "(name=service-*)", (match) => {
    seen.push(match);
    watch.happened();
  });
  const run = new Run([live.tcp, "bench", "3000", "50", "--clients", "3", "--seconds", "1000"]);
  // 3000, 16 timed ones, then those of the load.
  await watch.until(() => seen.length > 3100, "the load");
  const found = await witness.services("(name=service-2999)");
  assert.equal(
    found.map(({ properties, ttlSeconds }) => ({ properties, ttlSeconds })),
    [{ properties: propertiesOf(2999), ttlSeconds: 30n }],
  );
  const filters = (await witness.subscriptions()).map(({ filter }) => filter);
  assert.is(filters.length, 51);
  assert.ok(filters.includes("(name=service-49)"));
  assert.is((await witness.clients()).length, 5);
  run.interrupt();
  assert.equal([await run.code, run.stdout.text], [130, ""], "no result, so no success");
  assert.is((await witness.services()).length, 0);
  witness.close();
  await assertClean(live.ux);
});

test("an interrupt while services are being published", async () => {
  const witness = await Session.connect(live.ux, { clientId: 1n });
  const watch = new Watch();
  let appeared = 0;
  await witness.subscribe(1n, undefined, () => {
    appeared++;
    watch.happened();
  });
  const run = new Run([live.ux, "bench", "1000000", "0"]);
  await watch.until(() => appeared > 100, "the first services");
  run.interrupt();
  assert.is(await run.code, 130, run.stdout.text);
  assert.is((await witness.services()).length, 0);
  witness.close();
});

test("a refusal is told, and what was published before is withdrawn", async () => {
  const withdrawn: string[] = [];
  let published = 0;
  const server = await fakeServer((request) => {
    const { "ta-cmd": command } = request;
    if (command === "hello") return [HELLO_COMPLETE];
    const answer = (type: string, more = {}) => [
      { "ta-cmd": command, "ta-id": request["ta-id"], "msg-type": type, ...more },
    ];
    if (command === "track") return answer("accept");
    if (command === "unpublish") withdrawn.push(String((request as Record<string, unknown>)["service-id"]));
    if (command === "publish" && ++published === 3) return answer("fail", { "fail-reason": "insufficient-resources" });
    return answer("complete");
  });
  const { code, stdout } = await pafc(server.address, "bench", "5", "0");
  assert.equal([code, stdout], [1, "Protocol transaction failed: 'insufficient-resources'.\n"]);
  assert.is(new Set(withdrawn).size, 5);
  server.close();
});

test("a server that stops answering, and one that goes, are errors", async () => {
  const silent = await fakeServer((request) => {
    if (request["ta-cmd"] === "hello") return [HELLO_COMPLETE];
    return [];
  });
  const late = await pafc("--timeout", "0.2", silent.address, "bench", "5", "0");
  assert.is(late.code, 1);
  assert.match(late.stdout, /^Error communicating .*timed out\.\nux:\S+: no answer within 0\.2 s \(--timeout\)\n$/);
  silent.close();
  const leaving = await fakeServer((request, connection) => {
    if (request["ta-cmd"] === "hello") return [HELLO_COMPLETE];
    connection.connection.close();
    return [];
  });
  const gone = await pafc(leaving.address, "bench", "5", "0");
  assert.equal([gone.code, gone.stdout], [1, "Server closed connection\n"]);
  leaving.close();
});

test("a server that drops the session with the services while clients load it is an error", async () => {
  let publishes = 0;
  const server = await fakeServer((request, connection) => {
    const { "ta-cmd": command } = request;
    if (command === "hello") return [HELLO_COMPLETE];
    if (command === "publish" && ++publishes === 100) server.accepted[0].connection.close();
    const type = command === "track" || command === "subscribe" ? "accept" : "complete";
    const answers: object[] = [{ "ta-cmd": command, "ta-id": request["ta-id"], "msg-type": type }];
    return connection.closes > 0 ? [] : answers;
  });
  const { code, stdout } = await pafc(server.address, "bench", "1", "0", "--clients", "2", "--seconds", "1000");
  assert.equal([code, stdout], [1, "Server closed connection\n"]);
  server.close();
});

test("on a terminal, standard error shows how far it is, and is clean afterwards", async () => {
  const run = new Run([live.ux, "bench", "10", "10"], { isTTY: true });
  run.stderr.isTTY = true;
  assert.is(await run.code, 0);
  assert.match(run.stderr.text, /^\r\[#{3}\.{27}\] {2}10 % {2}publishing services\x1b\[K\r/);
  assert.match(run.stderr.text, /\] {3}\d % {2}timing operations\x1b\[K/);
  assert.ok(run.stderr.text.endsWith("\r\x1b[K"));
});

test("the bar", () => {
  assert.is(progressLine("x", 0, 10), `[${".".repeat(30)}]   0 %  x`);
  assert.is(progressLine("x", 5, 10), `[${"#".repeat(15)}${".".repeat(15)}]  50 %  x`);
  assert.is(progressLine("x", 11, 10), `[${"#".repeat(30)}] 100 %  x`);
  assert.is(progressLine("withdrawing services", 1, 2, 40), "[###....]  50 %  withdrawing services");
  assert.is(progressLine("withdrawing services", 1, 2, 35), " 50 %  withdrawing services");
  assert.is(progressLine("withdrawing services", 1, 2, 20), " 50 %  withdrawin");
  for (let columns = 1; columns < 100; columns++) {
    assert.ok(progressLine("withdrawing services", 1, 3, columns).length < columns, `the line fits ${columns} columns`);
  }
  assert.is(progressLine("x", 0, 0), `[${"#".repeat(30)}] 100 %  x`);
});

test("the tables", () => {
  const times = { name: "ping", count: 16, meanMs: 1.23456, minMs: 0.1, maxMs: 12345.6789 };
  assert.equal(operationsTable([times]), [
    "Operation         Count  Mean [ms]   Min [ms]   Max [ms]",
    "ping                 16      1.235      0.100  12345.679",
  ]);
  const latencies = [{ name: "publish", count: 7, p50Ms: 0.5, p90Ms: 1, p99Ms: 2, maxMs: 3 }];
  assert.equal(loadTable({ clients: 1, seconds: 2.04, operations: 28, perSecond: 13.7254, latencies }), [
    "1 client, 2.0 s: 28 operations, 13.7 per second",
    "Operation         Count  50 % [ms]  90 % [ms]  99 % [ms]   Max [ms]",
    "publish               7      0.500      1.000      2.000      3.000",
  ]);
});

test("requests in a window: at most 1024 without an answer, in order, until the first failure", async () => {
  const waiting: { readonly i: number; readonly settle: () => void; readonly fail: (error: Error) => void }[] = [];
  const request = (i: number) =>
    new Promise<void>((resolve, reject) => void waiting.push({ i, settle: resolve, fail: reject }));
  let answers = 0;
  const all = inWindow(3000, undefined, (done) => (answers = done), request);
  assert.is(waiting.length, 1024);
  waiting[0].settle();
  waiting[1].settle();
  await new Promise(setImmediate);
  assert.equal([waiting.length, answers], [1026, 2]);
  assert.equal(
    waiting.map(({ i }) => i),
    Array.from({ length: 1026 }, (_, i) => i),
  );
  waiting[5].fail(new Error("refused"));
  await all.then(
    () => assert.unreachable(),
    (error) => assert.is(error.message, "refused"),
  );
  waiting[6].settle();
  await new Promise(setImmediate);
  assert.is(waiting.length, 1026, "nothing more is asked");
});

const missing = opensslMissing();
if (missing !== undefined) console.log(`Skipped: bench over tls: ${missing}.`);
(missing === undefined ? test : test.skip)("over tls, with the real server", async () => {
  const authority = new Authority("root");
  const server = tlsDirectory("server", authority.issue("server"), authority.cert);
  const pafd = await startPafd(["tls:127.0.0.1:0"], { env: { XCM_TLS_CERT: server } });
  const before = process.env.XCM_TLS_CERT;
  try {
    process.env.XCM_TLS_CERT = tlsDirectory("client", authority.issue("client"), authority.cert);
    const address = await boundAddress(pafd, "tls:127.0.0.1:0");
    const { code, stdout } = await pafc("--json", address, "bench", "10", "10", "--clients", "3", "--seconds", "0.1");
    assert.is(code, 0, stdout);
    assert.ok(JSON.parse(stdout).load.operations >= 12);
    await assertClean(address);
  } finally {
    if (before === undefined) delete process.env.XCM_TLS_CERT;
    else process.env.XCM_TLS_CERT = before;
    await pafd.kill();
  }
});

test.run();
