/** The interactive client through pipes: whole transcripts, against a real domain and against servers that misbehave. */

import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Session } from "../../../src/client/session.js";
import { properties } from "../../../src/core/properties.js";
import { fakeServer, HELLO_COMPLETE, type LiveDomain, liveDomain, soon } from "../../client/live-domain.js";
import { Run } from "../run.js";

const test = suite("pafc interactive");
let live: LiveDomain;

test.before.each(async () => {
  live = await liveDomain();
});
test.after.each(() => live.close());

/** Types the lines, then ends the input. Returns what was printed, generated ids and times replaced by names. */
async function transcript(lines: readonly string[], ...argv: string[]): Promise<readonly [number, string]> {
  const run = new Run(argv);
  run.stdin.end(lines.map((line) => `${line}\n`).join(""));
  const code = await run.code;
  assert.is(run.stderr.text, "");
  return [code, named(run.stdout.text)];
}

function named(text: string): string {
  const names = new Map<string, string>();
  return text
    .replace(/\d+\.\d ms/g, "T ms")
    .replace(/\b[0-9a-f]{12,16}\b/g, (id) => {
      const name = names.get(id) ?? `ID${names.size + 1}`;
      names.set(id, name);
      return name;
    })
    .replace(/(0:00:)\d\d {4}\d\.\d{3}/g, "$100    0.000")
    .replace(/^(ID\d) +/gm, "$1  ")
    .replace(/ux:[0-9a-f]{5} /g, "ux:ADDR  ")
    .replace(/ 0:00:\d\d /g, " 0:00:00 ");
}

test("a session as in the specification", async () => {
  const [code, text] = await transcript(
    [
      "id",
      "hello",
      "version",
      "ping ignored",
      "clients",
      "",
      "subscribe (name=*)",
      "publish 1f 0 30 name abc n 42 s |42|",
      "services",
      "services (n>42)",
      "services (n>42) two",
      "subscriptions",
      "publish 1f 1 60 name abc 'two words' \"a b\"",
      "unpublish 1f",
      "quit",
      "id",
    ],
    "-i",
    "2a",
    live.ux,
  );
  assert.is(code, 0);
  assert.is(
    text,
    `> Client Id: 0x2a
> Negotiated Protocol Version: 3
OK.
> Protocol version:
  Supported by client: 2-3
  Advertised: 2-3
  Used: 3
OK.
> T ms
OK.
> Client Id         Remote Address    Uptime     Idle [s]   Latency [ms]  Version
2a                ux:ADDR           0:00:00    0.000      -             3
OK.
> > Subscription Id ID1.
OK.
> Subscription ID1: Match type: appeared; Service id: 1f; Generation: 0; TTL: 30; Client Id: 0x2a; Properties: {'name': 'abc', 'n': 42, 's': '42'}
OK.
>       Service Id  Gen  TTL  Orphan Tmo  Owner              Properties
              1f    0   30           -  2a                 {'name': 'abc', 'n': 42, 's': '42'}
OK.
>       Service Id  Gen  TTL  Orphan Tmo  Owner              Properties
OK.
>       Service Id  Gen  TTL  Orphan Tmo  Owner              Properties
              1f    0   30           -  2a                 {'name': 'abc', 'n': 42, 's': '42'}
OK.
> Subscription Id   Owner Id           Filter Expression
ID1  2a                 (name=*)
OK.
> Subscription ID1: Match type: modified; Service id: 1f; Generation: 1; TTL: 60; Client Id: 0x2a; Properties: {'name': 'abc', 'two words': 'a b'}
OK.
> Subscription ID1: Match type: disappeared; Service id: 1f
OK.
> 
`,
  );
});

test("version 2: fewer columns, one version offered, and track ends the session", async () => {
  const [code, text] = await transcript(["version", "clients", "track", "id"], "-p", "2", "-i", "2a", live.ux);
  assert.is(code, 143);
  assert.is(
    text,
    `> Protocol version:
  Supported by client: 2-3
  Advertised: 2-2
  Used: 2
OK.
> Client Id         Remote Address    Uptime
2a                ux:ADDR           0:00:00   
OK.
> Server closed connection
`,
  );
});

/** What is typed, and what is printed for it. */
const REPLIES: readonly (readonly [string, ...string[]])[] = [
  ["foo bar", "*** Unknown syntax: foo bar"],
  ["!x", "*** Unknown syntax: !x"],
  ["\x1b[2J", "*** Unknown syntax: \\x1b[2J"],
  ["constructor", "*** Unknown syntax: constructor"],
  ["help zz", "*** No help on zz"],
  ["?ping", "ping", "Prints how long the server took to answer."],
  ["publish", "Service name is missing."],
  ["publish 1", "Missing TTL and generation."],
  ["publish x 30", "invalid literal for int() with base 10: 'x'."],
  ["publish 0 x", "invalid literal for int() with base 10: 'x'."],
  ["publish zz 0 30", "'zz' is not a valid id."],
  ["publish -1 0 30", "Service id must be a non-negative integer."],
  ["publish 1 0 30 'a", "No closing quotation."],
  [
    `publish 1 0 30 n 9${"9".repeat(19)}`,
    `Property 'n': 9${"9".repeat(19)} is not a 64-bit integer (${-(2n ** 63n)} to ${2n ** 63n - 1n}); |9${"9".repeat(19)}| is a string.`,
  ],
  ["unpublish", "'' is not a valid id."],
  ["unpublish 1 2", "'1 2' is not a valid id."],
  ["unpublish 1", "Protocol transaction failed: 'non-existent-service-id'."],
  ["unsubscribe zz", "'zz' is not a valid id."],
  ["unsubscribe 1", "Protocol transaction failed: 'non-existent-subscription-id'."],
  ["services (a", "Protocol transaction failed: 'invalid-filter-syntax'."],
  ["services 'a", "No closing quotation."],
  ["subscribe (a", "Subscription Id ID1.", "invalid-filter-syntax"],
  ["publish 0 30", "Service Id ID1.", "OK."],
  ["publish 1 5 30", "OK."],
  ["publish 1 5 31", "Protocol transaction failed: 'same-generation-but-different'."],
  ["publish 1 4 30", "Protocol transaction failed: 'old-generation'."],
  ["track query", "Connection has no track transaction."],
  ["track x", "Unknown track sub-command 'x'."],
  ["track a b", "Too many arguments."],
  ["track verbose", "OK."],
  ["track", "OK."],
  ["track", "Connection already has a track transaction."],
  ["track quiet", "OK."],
];

test("each line and its answer", async () => {
  const run = new Run(["-i", "2a", live.ux]);
  let seen = 0;
  for (const [typed, ...expected] of REPLIES) {
    await run.stdout.watch.until(() => run.stdout.text.slice(seen).endsWith("> "), `the prompt before ${typed}`);
    seen = run.stdout.text.length;
    run.stdin.write(`${typed}\n`);
    await run.stdout.watch.until(() => run.stdout.text.slice(seen).endsWith("\n> "), `the prompt after ${typed}`);
    assert.equal(named(run.stdout.text.slice(seen)).split("\n").slice(0, -1), expected, typed);
    seen = run.stdout.text.length - 2;
  }
  run.stdin.end();
  assert.is(await run.code, 0);
});

test("help is as wide as the terminal", async () => {
  const run = new Run([live.ux]);
  Object.assign(run.stdout, { columns: 50 });
  run.stdin.end("help publish\n");
  assert.is(await run.code, 0);
  assert.equal(run.lines.slice(2, 5), [
    "Publishes a service, or changes it (then the",
    "generation must rise). With an odd number of",
    "words the first is the service id; with an even",
  ]);
});

test("a line without an end counts, lines may end with a carriage return, letters may come in pieces", async () => {
  const run = new Run(["-i", "2a", live.ux]);
  for (const byte of Buffer.from("ping\r\npublish 1 0 30 name å日本")) run.stdin.write(Buffer.of(byte));
  run.stdin.end();
  assert.is(await run.code, 0);
  assert.match(run.stdout.text, /^> \d+\.\d ms\nOK\.\n> OK\.\n> \n$/);
});

test("a line without end is refused", async () => {
  const run = new Run([live.ux]);
  run.stdin.end(Buffer.alloc(1_048_577, "x"));
  assert.equal([await run.code, run.stdout.text], [1, "> A line has more than 1048576 bytes.\n"]);
});

test("a request that no server would read is refused, and the session goes on", async () => {
  const [code, text] = await transcript([`publish 1 0 30 a ${"x".repeat(65_536)}`, "id"], "-i", "2a", live.ux);
  assert.is(code, 0);
  assert.match(
    text,
    /^> Error communicating .*\[Errno 90\] Message too long\.\npublish request of .*\n> Client Id: 0x2a\n> \n$/,
  );
});

test("subscriptions: what others do is printed as it comes, and their end", async () => {
  const owner = await Session.connect(live.ux, { clientId: 1n });
  const run = new Run(["-i", "2a", live.ux]);
  run.stdin.write("subscribe\n");
  const id = /Id ([0-9a-f]+)\./.exec(await run.line(1))![1];
  await run.line(2);
  await owner.publish({ id: 2n, generation: 0n, ttlSeconds: 60n, properties: properties({ a: "\x1b[2J" }) });
  await run.line(3);
  owner.close();
  const orphan = await run.line(4);
  run.stdin.write(`unsubscribe ${id}\n`);
  await run.line(6);
  run.stdin.end("EOF\n");
  assert.is(await run.code, 0);
  const left = /Orphan: (\d\d\.\d) s/.exec(orphan)?.[1];
  assert.ok(Number(left) > 50 && Number(left) <= 60, orphan);
  assert.equal(run.stdout.text.split("\n"), [
    `> Subscription Id ${id}.`,
    "OK.",
    `> Subscription ${id}: Match type: appeared; Service id: 2; Generation: 0; TTL: 60; Client Id: 0x1; Properties: {'a': '\\x1b[2J'}`,
    `Subscription ${id}: Match type: modified; Service id: 2; Generation: 0; TTL: 60; Orphan: ${left} s until timeout; Client Id: 0x1; Properties: {'a': '\\x1b[2J'}`,
    `Subscription ${id} canceled.`,
    "OK.",
    "> ",
    "",
  ]);
});

test("what is published becomes an orphan at the end", async () => {
  const watcher = await Session.connect(live.ux, { clientId: 1n });
  const orphan = new Promise<bigint>((resolve) => {
    void watcher.subscribe(1n, "(a=b)", (match) => {
      if (match.type === "modified" && match.service.orphanSince !== undefined) resolve(match.service.id);
    });
  });
  await watcher.ping();
  assert.is((await transcript(["publish 1 0 30 a b"], live.ux))[0], 0);
  assert.is(await soon(orphan, "the orphan"), 1n);
  watcher.close();
});

test("track: queries both ways; without it, an idle connection of version 3 is dropped", async () => {
  const strict = await liveDomain({ idle: { min: 0.8, max: 0.8 } });
  const silent = new Run([strict.ux]);
  const tracking = new Run([strict.ux]);
  tracking.stdin.write("track verbose\ntrack\ntrack query\n");
  assert.is(await silent.code, 143);
  assert.is(silent.stdout.text, "> Server closed connection\n");
  const has = (text: string) => tracking.stdout.watch.until(() => tracking.stdout.text.includes(text), text);
  await has("Responded to track query notification.\n");
  await has("Received reply to track query in ");
  tracking.stdin.end();
  assert.is(await tracking.code, 0);
  assert.match(named(tracking.stdout.text), /^> OK\.\n> OK\.\n> OK\.\n/);
  strict.close();
});

test("a negative generation is the server's to refuse: it closes, status 143", async () => {
  assert.equal(await transcript(["publish 1 -1 30", "id"], live.ux), [143, "> Server closed connection\n"]);
});

test("the server goes while the prompt waits, and while a command does", async () => {
  const waiting = new Run([live.ux]);
  await waiting.stdout.watch.until(() => waiting.stdout.text === "> ", "the prompt");
  live.domain.close();
  assert.equal([await waiting.code, waiting.stdout.text], [143, "> Server closed connection\n"]);
  const server = await fakeServer((request, connection) => {
    if (request["ta-cmd"] === "hello") return [HELLO_COMPLETE];
    connection.connection.close();
    return [];
  });
  assert.equal(await transcript(["services", "id"], server.address), [143, "> Server closed connection\n"]);
  server.close();
});

test("a server that does not answer: the limit of --timeout, status 1", async () => {
  const server = await fakeServer((request) => (request["ta-cmd"] === "hello" ? [HELLO_COMPLETE] : []));
  const [code, text] = await transcript(["ping", "id"], "--timeout", "0.2", server.address);
  assert.is(code, 1);
  assert.match(
    text,
    /^> Error communicating .*\[Errno 110\] Connection timed out\.\nux:.*no answer within 0\.2 s \(--timeout\)\n$/,
  );
  server.close();
});

test("a server that breaks the protocol or sends hostile texts", async () => {
  const hostile = await fakeServer((request) =>
    request["ta-cmd"] === "hello"
      ? [HELLO_COMPLETE]
      : [{ ...request, "msg-type": "fail", "fail-reason": "\x1b[2J\nOK." }],
  );
  assert.equal(await transcript(["ping", "subscribe"], hostile.address), [
    0,
    "> Protocol transaction failed: '\\x1b[2J\\nOK.'.\n> Subscription Id ID1.\n\\x1b[2J\\nOK.\n> \n",
  ]);
  hostile.close();
  const lying = await fakeServer((request) =>
    request["ta-cmd"] === "hello" ? [HELLO_COMPLETE] : [{ ...request, "ta-id": 77, "msg-type": "complete" }],
  );
  const [code, text] = await transcript(["ping", "id"], lying.address);
  assert.is(code, 1);
  assert.match(text, /^> Error communicating with Patherfinder server: message in transaction 77, .*\n$/);
  lying.close();
});

test("an interrupt leaves with status 130", async () => {
  const run = new Run([live.ux]);
  await run.stdout.watch.until(() => run.stdout.text === "> ", "the prompt");
  run.interrupt();
  assert.equal([await run.code, run.stdout.text], [130, "> "]);
});

test.run();
