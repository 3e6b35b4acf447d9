/** Every command of pafc against a real domain over real sockets, and what it says when the server fails it. */

import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Session } from "../../src/client/session.js";
import { properties } from "../../src/core/properties.js";
import { fakeServer, HELLO_COMPLETE, type LiveDomain, liveDomain, openSockets, soon } from "../client/live-domain.js";
import { freshName, send, serve } from "../support/transport-peers.js";
import { pafc, Run } from "./run.js";

const test = suite("pafc");
const MAX = 2n ** 63n - 1n;
const MAX_HEX = "7fffffffffffffff";
const COMMUNICATION = "Error communicating with Patherfinder server:";
let live: LiveDomain;
let owner: Session;
let sockets = 0;

test.before.each(async () => {
  sockets = openSockets();
  live = await liveDomain();
  owner = await Session.connect(live.ux, { clientId: 0x2an });
});
test.after.each(() => {
  owner.close();
  live.close();
  assert.is(openSockets(), sockets, "no socket is left");
});

const publish = (id: bigint, of: Parameters<typeof properties>[0], generation = 0n, ttlSeconds = 30n) =>
  owner.publish({ id, generation, ttlSeconds, properties: properties(of) });

/** The command succeeds; returns what it printed. */
async function output(...argv: string[]): Promise<string> {
  const { code, stdout, stderr } = await pafc(...argv);
  assert.equal({ code, stderr }, { code: 0, stderr: "" }, `${argv}: ${stdout}`);
  return stdout;
}

async function fails(argv: readonly string[], ...lines: (string | RegExp)[]): Promise<void> {
  const { code, stdout, stderr } = await pafc(...argv);
  assert.equal({ code, stderr }, { code: 1, stderr: "" }, `${argv}: ${stdout}`);
  const printed = stdout.split("\n").slice(0, -1);
  assert.is(printed.length, lines.length, stdout);
  lines.forEach((line, i) => {
    if (typeof line === "string") assert.is(printed[i], line);
    else assert.match(printed[i], line);
  });
}

test("services: table and JSON, filtered and not, over ux and tcp, versions 2 and 3", async () => {
  await publish(0x1fn, { name: "abc", n: 42, s: "42" });
  await publish(MAX, { name: "other", n: [9007199254740993n] }, MAX - 1n, MAX);
  const header = "      Service Id  Gen  TTL  Orphan Tmo  Owner              Properties\n";
  const first = "              1f    0   30           -  2a                 {'name': 'abc', 'n': 42, 's': '42'}\n";
  for (const words of [[live.ux], [live.tcp], ["-p", "2", live.tcp]]) {
    assert.is(await output(...words, "services", "(n=42)"), header + first);
    assert.is(await output(...words, "services", "(n=43)"), header);
    // Columns are as wide as their longest value.
    const wide = (line: string) =>
      `${line.slice(0, 17)}${" ".repeat(15)}${line.slice(17, 22)}${" ".repeat(15)}${line.slice(22)}`;
    assert.is(
      await output(...words, "services"),
      `${wide(header)}${wide(first)}${MAX_HEX} ${MAX - 1n} ${MAX}           -  2a                 {'name': 'other', 'n': 9007199254740993}\n`,
    );
  }
  assert.is(
    await output("--json", live.ux, "services"),
    '[{"id":"1f","generation":0,"ttl":30,"owner":"2a","properties":{"name":["abc"],"n":[42],"s":["42"]}},' +
      `{"id":"${MAX_HEX}","generation":${MAX - 1n},"ttl":${MAX},"owner":"2a",` +
      '"properties":{"name":["other"],"n":[9007199254740993]}}]\n',
  );
  assert.is(await output(live.ux, "services", "(n=43)", "--json"), "[]\n");
});

test("10,000 services are printed completely", async () => {
  await Promise.all(Array.from({ length: 10_000 }, (_, i) => publish(BigInt(i), { n: i })));
  assert.is((await output(live.tcp, "services")).split("\n").length, 10_002);
  assert.is(JSON.parse(await output("--json", live.ux, "services")).length, 10_000);
});

test("top without a terminal says what to use instead", async () => {
  await fails(
    [live.ux, "top"],
    "top needs a terminal for standard input and output (and TERM not 'dumb').",
    "For scripts: pafc --json ADDR services|subscriptions|clients, or pafc --json ADDR subscribe.",
  );
});

test("subscriptions", async () => {
  await owner.subscribe(0x5100b16f763ff763n, "(n>007)", () => {});
  await owner.subscribe(1n, undefined, () => {});
  assert.is(
    await output(live.ux, "subscriptions"),
    "Subscription Id   Owner Id           Filter Expression\n" +
      "5100b16f763ff763  2a                 (n>7)\n" +
      "1                 2a                 -\n",
  );
  assert.equal(JSON.parse(await output("--json", live.tcp, "subscriptions")), [
    { id: "5100b16f763ff763", owner: "2a", filter: "(n>7)" },
    { id: "1", owner: "2a" },
  ]);
});

test("clients, in both versions", async () => {
  const v3 = await output("-i", "0xAb", live.tcp, "clients");
  assert.match(
    v3,
    /^Client Id {9}Remote Address {4}Uptime {5}Idle \[s\] {3}Latency \[ms\] {2}Version\n2a {14} {2}ux:[0-9a-f]{5} {10}0:00:0\d {4}0\.\d{3} {6}- {13}3\nab {16}tcp:127\.0\.0\.1:\d+ +0:00:\d\d {4}0\.\d{3} {6}- {13}3\n$/,
  );
  const v2 = await output("-p", "2", "-i", "ab", live.tcp, "clients");
  assert.match(
    v2,
    /^Client Id {9}Remote Address {4}Uptime\n2a {16}ux:[0-9a-f]{5} {10}0:00:0\d {3}\nab {16}tcp:127\.0\.0\.1:\d+ +0:00:\d\d {3}\n$/,
  );
  const [first, self] = JSON.parse(await output("--json", "-i", "ab", live.tcp, "clients"));
  assert.is(first.id, "2a");
  assert.equal(Object.keys(self), ["id", "address", "connectedAt", "idleSeconds", "protocolVersion"]);
  assert.ok(Math.abs(self.connectedAt - Date.now() / 1000) < 30);
  assert.equal(Object.keys(JSON.parse(await output("--json", "-p", "2", live.tcp, "clients"))[0]), [
    "id",
    "address",
    "connectedAt",
  ]);
});

test("publish stays, and withdraws the service when interrupted", async () => {
  for (const argv of [[], ["-p", "2"], ["--json"]]) {
    const run = new Run([...argv, live.ux, "publish", "--ttl", "60", "name=db", "port=5432", "zip=|01|", "zip=x"]);
    const line = await run.line(1);
    const id = argv[0] === "--json" ? JSON.parse(line).id : /^Service Id ([0-9a-f]+)\.$/.exec(line)?.[1];
    const [found] = await owner.services();
    assert.equal([found.id.toString(16), found.ttlSeconds, found.generation], [id, 60n, 0n]);
    assert.equal(new Map(found.properties), properties({ name: "db", port: 5432, zip: ["01", "x"] }));
    assert.is(found.orphanSince, undefined);
    run.interrupt();
    assert.is(await run.code, 0);
    assert.is(run.lines.length, 1);
    assert.equal(await owner.services(), []);
  }
});

test("publish ends in order, too, if somebody else withdrew the service", async () => {
  const run = new Run([live.ux, "publish", "--id", "1f", "a=b"]);
  await run.line(1);
  await owner.unpublish(0x1fn);
  run.interrupt();
  assert.equal([await run.code, run.stdout.text], [0, "Service Id 1f.\n"]);
});

test("publish --leave leaves an orphan; a second publish takes it over, unpublish ends it", async () => {
  assert.is(await output(live.ux, "publish", "--leave", "--id", "0x1F", "name=job"), "Service Id 1f.\n");
  assert.match(
    await output(live.ux, "services"),
    /\n {14}1f {4}0 {3}30 {8}\d\d\.\d {2}[0-9a-f]+ +\{'name': 'job'\}\n$/,
  );
  assert.type(JSON.parse(await output("--json", live.ux, "services"))[0].orphanSince, "number");
  const gone = new Promise<void>((resolve) => {
    void owner.subscribe(1n, undefined, ({ type }) => type === "disappeared" && resolve());
  });
  await output(live.ux, "publish", "--leave", "--id", "1f", "--generation", "1", "--ttl", "0", "name=job");
  await soon(gone, "the end of a service without TTL");
  await fails([live.ux, "unpublish", "1f"], "Protocol transaction failed: 'non-existent-service-id'.");
  await publish(MAX, {});
  assert.is(await output(live.ux, "unpublish", MAX_HEX), "OK.\n");
  await publish(1n, {});
  assert.is(await output("--json", live.ux, "unpublish", "1"), '{"id":"1"}\n');
});

test("subscribe streams until interrupted", async () => {
  await publish(0x1fn, { name: "abc", n: 42 });
  const run = new Run([live.ux, "subscribe", "(name=abc)"]);
  const json = new Run(["--json", live.tcp, "subscribe"]);
  await Promise.all([run.line(1), json.line(1)]);
  await publish(0x1fn, { name: "abc", n: -1 }, 1n, 60n);
  await publish(0x20n, { name: "not shown" });
  await Promise.all([run.line(2), json.line(3)]);
  owner.close();
  await Promise.all([run.line(3), json.line(5)]);
  await output("-i", "2b", live.ux, "unpublish", "1f");
  await Promise.all([run.line(5), json.line(7)]);
  run.interrupt();
  json.interrupt();
  assert.equal([await run.code, await json.code], [0, 0]);
  const id = /^Subscription ([0-9a-f]+): /.exec(run.lines[0])?.[1];
  const left = /Orphan: (\d\d\.\d) s/.exec(run.lines[2])?.[1];
  assert.ok(Number(left) > 50 && Number(left) <= 60, left);
  assert.equal(run.lines, [
    `Subscription ${id}: Match type: appeared; Service id: 1f; Generation: 0; TTL: 30; Client Id: 0x2a; Properties: {'name': 'abc', 'n': 42}`,
    `Subscription ${id}: Match type: modified; Service id: 1f; Generation: 1; TTL: 60; Client Id: 0x2a; Properties: {'name': 'abc', 'n': -1}`,
    `Subscription ${id}: Match type: modified; Service id: 1f; Generation: 1; TTL: 60; Orphan: ${left} s until timeout; Client Id: 0x2a; Properties: {'name': 'abc', 'n': -1}`,
    // Who withdraws it owns it first (pathfinder-protocol.md, 10.4).
    `Subscription ${id}: Match type: modified; Service id: 1f; Generation: 1; TTL: 60; Client Id: 0x2b; Properties: {'name': 'abc', 'n': -1}`,
    `Subscription ${id}: Match type: disappeared; Service id: 1f`,
  ]);
  const matches = json.lines.map((line) => JSON.parse(line));
  assert.equal(
    matches.map(({ type, service }) => [type, service.id, service.generation, "orphanSince" in service]),
    [
      ["appeared", "1f", 0, false],
      ["modified", "1f", 1, false],
      ["appeared", "20", 0, false],
      ["modified", "1f", 1, true],
      ["modified", "20", 0, true],
      ["modified", "1f", 1, false],
      ["disappeared", "1f", undefined, false],
    ],
  );
  assert.is(new Set(matches.map(({ subscription }) => subscription)).size, 1);
});

test("subscribe and publish outlive the idle limit, because they track", async () => {
  const strict = await liveDomain({ idle: { min: 0.8, max: 0.8 } });
  const watching = new Run(["--json", strict.ux, "subscribe"]);
  const publishing = new Run([strict.ux, "publish", "--ttl", "0", "a=b"]);
  await publishing.line(1);
  const silent = await Session.connect(strict.ux, { clientId: 1n });
  await silent.closed; // three times as long as nothing is said
  const silentToo = await Session.connect(strict.ux, { clientId: 1n });
  await silentToo.closed;
  publishing.interrupt();
  assert.is(await publishing.code, 0);
  await watching.line(2);
  watching.interrupt();
  assert.is(await watching.code, 0);
  assert.equal(
    watching.lines.map((line) => JSON.parse(line).type),
    ["appeared", "disappeared"],
  );
  strict.close();
});

test("ping: once, several times, interrupted, as JSON", async () => {
  assert.match(await output(live.ux, "ping"), /^\d+\.\d ms\n$/);
  assert.equal(Object.keys(JSON.parse(await output("--json", live.tcp, "ping"))), ["ms"]);
  const three = await output("-p", "2", live.ux, "ping", "-c", "3", "-i", "0.01");
  assert.match(
    three,
    /^(?:\d+\.\d ms\n){3}--- ux:\S+: 3 sent, 3 answered ---\nmin\/avg\/max = \d+\.\d\/\d+\.\d\/\d+\.\d ms\n$/,
  );
  const run = new Run(["--json", live.ux, "ping", "-c", "1000", "-i", "1000"]);
  await run.line(1);
  run.interrupt();
  assert.is(await run.code, 0);
  const { sent, answered, minMs, avgMs, maxMs } = JSON.parse(run.lines[1]);
  assert.equal([sent, answered], [1, 1]);
  assert.ok(minMs <= avgMs && avgMs <= maxMs);
});

test("refusals name the reason, and what to do about it", async () => {
  await publish(1n, { a: 1 }, 5n);
  await fails(
    [live.ux, "publish", "--id", "1", "--generation", "5", "a=2"],
    "Protocol transaction failed: 'same-generation-but-different'.",
    /higher --generation/,
  );
  await fails(
    [live.ux, "publish", "--id", "1", "a=2"],
    "Protocol transaction failed: 'old-generation'.",
    /--generation/,
  );
  await fails([live.tcp, "unpublish", "1"], "Protocol transaction failed: 'permission-denied'.");
  await fails(["-i", "2a", live.ux, "ping"], `${COMMUNICATION} Protocol establishment failed: client-id-exists.`);
  const limited = await liveDomain({ versions: { min: 2, max: 2 } });
  await fails(
    ["-p", "3", limited.ux, "ping"],
    `${COMMUNICATION} Protocol establishment failed: unsupported-protocol-version.`,
  );
  limited.close();
});

test("no connection: errno and text as the reference prints them, then what it means", async () => {
  const nobody = `ux:${freshName()}`;
  await fails(
    [nobody, "services"],
    `${COMMUNICATION} [Errno 111] Connection refused.`,
    `${nobody}: nobody is listening there (ECONNREFUSED)`,
  );
  await fails(["tcp:127.0.0.1:1", "ping"], `${COMMUNICATION} [Errno 111] Connection refused.`, /^tcp:127\.0\.0\.1:1: /);
  await fails(
    ["nonsense", "ping"],
    `${COMMUNICATION} [Errno 22] Invalid argument.`,
    /accepted are "ux:NAME"/,
    /^domain file \/run\/paf\/domains.d\/nonsense: .*ENOENT/,
    /^(There are no d|D)omains in \/run\/paf\/domains\.d[:;] /,
  );
  await fails(["sctp:a:1", "ping"], `${COMMUNICATION} [Errno 92] Protocol not available.`, /unknown transport "sctp"/);
  const { code, stdout, stderr } = await pafc("--json", nobody, "ping");
  assert.equal([code, stdout], [1, ""], "with --json, standard output holds nothing but JSON");
  assert.match(stderr, `${COMMUNICATION} [Errno 111] Connection refused.\n`);
});

test("a wrong command line is told on standard output, hostile words escaped; nothing is sent", async () => {
  await fails(["-z", live.ux, "ping"], "Error parsning command line: option -z not recognized.");
  await fails(
    [live.ux, "services", "(name=)"],
    "Invalid filter: empty value at character 6.",
    "  (name=)",
    "        ^",
  );
  await fails([live.ux, "\x1b[31m"], /^Unknown command '\\x1b\[31m'; /);
  assert.is((await owner.clients()).length, 1);
});

test("a request that no server would read is refused", async () => {
  await fails(
    [live.ux, "publish", `a=${"x".repeat(65_536)}`],
    `${COMMUNICATION} [Errno 90] Message too long.`,
    /publish request of 65\d+ bytes/,
  );
});

test("a server that does not answer: --timeout ends it, in each phase", async () => {
  const line = `${COMMUNICATION} [Errno 110] Connection timed out.`;
  const mute = await fakeServer(() => []);
  await fails(
    ["--timeout", "0.05", mute.address, "ping"],
    line,
    `${mute.address}: no answer within 0.05 s (--timeout)`,
  );
  const half = await fakeServer((request) => (request["ta-cmd"] === "hello" ? [HELLO_COMPLETE] : []));
  for (const words of [
    ["ping"],
    ["ping", "-c", "2"],
    ["services"],
    ["subscribe"],
    ["publish", "a=b"],
    ["unpublish", "1"],
  ]) {
    await fails([half.address, ...words, "--timeout", "0.05"], line, /no answer within 0\.05 s/);
  }
  for (const server of [mute, half]) {
    await Promise.all(server.accepted.map((connection) => connection.ends()));
    server.close();
  }
});

test("an interrupt ends a publish whose withdrawal is not answered within --timeout", async () => {
  const server = await fakeServer((request) =>
    request["ta-cmd"] === "hello"
      ? [HELLO_COMPLETE]
      : request["ta-cmd"] === "unpublish"
        ? []
        : [{ ...request, "msg-type": request["ta-cmd"] === "track" ? "accept" : "complete" }],
  );
  const run = new Run([server.address, "publish", "--timeout", "1", "a=b"]);
  await run.line(1);
  run.interrupt();
  assert.is(await run.code, 1);
  assert.match(run.lines[1], "[Errno 110] Connection timed out.");
  server.close();
});

test("the server goes in the middle: one line, exit code 1", async () => {
  const runs = [
    new Run([live.ux, "subscribe"]),
    new Run([live.ux, "publish", "a=b"]),
    new Run([live.ux, "ping", "-c", "2", "-i", "1000"]),
  ];
  await Promise.all(runs.map((run) => run.line(1)));
  live.domain.close();
  for (const run of runs) assert.is(await run.code, 1, run.stdout.text);
  const before = runs.map(({ lines }) => lines.filter((line) => !/closed connection/.test(line)).length);
  assert.equal(before.slice(0, 2), [1, 1]);
  for (const run of runs) assert.is(run.lines.at(-1), "Server closed connection");
});

test("a server that sends garbage: one line without anything a terminal would obey", async () => {
  const server = await serve(`ux:${freshName()}`, (text, connection) => {
    send(connection, text.includes('"hello"') ? JSON.stringify(HELLO_COMPLETE) : '{"ta-cmd":"\x1b[2J\\u001b[31m\x9b"}');
  });
  await fails([server.address, "services"], /^Error communicating with Patherfinder server: [ -~]+\.$/);
  server.close();
  const refusing = await fakeServer((request) =>
    request["ta-cmd"] === "hello"
      ? [HELLO_COMPLETE]
      : [{ ...request, "msg-type": "fail", "fail-reason": "\x1b[2J\nOK." }],
  );
  await fails([refusing.address, "ping"], "Protocol transaction failed: '\\x1b[2J\\nOK.'.");
  refusing.close();
});

test("hostile properties, from publish to table, stream and JSON", async () => {
  const hostile = "\x1b]0;owned\x07\r\n\u009b31m\u202e";
  await publish(1n, { [hostile]: hostile });
  const escaped = "\\x1b]0;owned\\x07\\r\\n\\x9b31m\\u202e";
  assert.match(await output(live.ux, "services"), `{'${escaped}': '${escaped}'}\n`);
  const run = new Run([live.ux, "subscribe"]);
  assert.match(await run.line(1), `{'${escaped}': '${escaped}'}`);
  run.interrupt();
  await run.code;
  const json = await output("--json", live.ux, "services");
  assert.not.match(json, /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202e]/);
  assert.equal(JSON.parse(json)[0].properties, { [hostile]: [hostile] });
});

test("colour and hints only for a person at a terminal who wants them", async () => {
  await publish(1n, {});
  const escapes = async (isTTY: boolean, env: Record<string, string>, ...words: string[]) => {
    const run = new Run([live.ux, "subscribe", ...words], { isTTY, env });
    await run.line(1);
    run.interrupt();
    await run.code;
    return [run.stdout.text.includes("\x1b["), run.stderr.text];
  };
  const hint = "Waiting for matches until Ctrl-C.\n";
  assert.equal(await escapes(true, {}), [true, hint]);
  assert.equal(await escapes(true, { NO_COLOR: "1" }), [false, hint]);
  assert.equal(await escapes(true, { TERM: "dumb" }), [false, hint]);
  assert.equal(await escapes(true, { NO_COLOR: "" }, "--json"), [false, ""]);
  assert.equal(await escapes(false, {}), [false, ""]);
});

test.run();
