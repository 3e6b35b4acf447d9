/** What an application passes in wrongly: refused at once, by name, and nothing has been done then. */

import { suite } from "uvu";
import * as assert from "uvu/assert";
import { eventLoop } from "../../src/client/event-loop.js";
import { type AttachOptions, attach, type Domain, present, ServiceTooLargeError } from "../../src/client/index.js";
import { endSoon, freshName, Watch } from "../support/transport-peers.js";
import { Consumer, ENV, Journal, RestartableServer } from "./attached.js";
import { soon } from "./live-domain.js";

const test = suite("arguments");
const nobody = `ux:${freshName()}`;
test.after(endSoon);

function refused(call: () => unknown, type: new () => Error, said: RegExp, what: string): void {
  assert.throws(call, (error: unknown) => error instanceof type && said.test(error.message), `${what}: ${said}`);
}

for (const [what, domain, options, type, said] of [
  ["no domain", undefined, {}, TypeError, /the domain is undefined \(a name, an address or \{ servers/],
  ["null", null, {}, TypeError, /the domain is null/],
  ["an object without servers", {}, {}, TypeError, /^servers is undefined \(an array of addresses or server settings/],
  ["servers that are a text", { servers: "tcp:h:1" }, {}, TypeError, /^servers is "tcp:h:1"/],
  ["a server that is a number", { servers: [5] }, {}, TypeError, /^servers\[0\] is 5 \(an address or an object/],
  ["a server without an address", { servers: [{}] }, {}, TypeError, /^servers\[0\]\.address is undefined/],
  ["an address twice", { servers: ["ux:a", { address: "ux:a" }] }, {}, RangeError, /servers\[1\] \(ux:a\): the same/],
  ["an address that is none", { servers: ["host"] }, {}, Error, /"host": there is no ":"/],
  [
    "a local address of another transport",
    { servers: [{ address: "tls:h:1", localAddress: "tcp:10.0.0.1:0" }] },
    {},
    RangeError,
    /servers\[0\] \(tls:h:1\): localAddress is "tcp:10.0.0.1:0" \(a tls address is accepted\)/,
  ],
  [
    "a local address for a UNIX socket",
    { servers: [{ address: "ux:a", localAddress: "ux:b" }] },
    {},
    RangeError,
    /localAddress is "ux:b" \(none for this transport/,
  ],
  [
    "a version as text",
    { servers: [{ address: "ux:a", minProtocolVersion: "3" }] },
    {},
    TypeError,
    /minProtocolVersion is "3" \(a whole number/,
  ],
  [
    "idle times without an end",
    { servers: [{ address: "ux:a", maxIdleSeconds: Number.POSITIVE_INFINITY }] },
    {},
    RangeError,
    /maxIdleSeconds is Infinity \(a number of seconds/,
  ],
  ["TLS that is a text", { servers: [{ address: "tls:h:1", tls: "c" }] }, {}, TypeError, /tls is "c" \(an object of/],
  ["a TLS file", { servers: [{ address: "tls:h:1", tls: { cert: 5 } }] }, {}, TypeError, /tls\.cert is 5 \(a text/],
  ["an empty name", "", {}, RangeError, /the name of the domain is "" \(the name of a file/],
  ["a path", "../x", {}, RangeError, /is "\.\.\/x"/],
  ["options that are a text", "d", "x", TypeError, /options is "x" \(an object/],
  ["a client id as number", "d", { clientId: 5 }, TypeError, /clientId is 5 \(a bigint, 0 to 2\^63-1/],
  ["a negative client id", "d", { clientId: -1n }, RangeError, /clientId is -1n \(0 to 2\^63-1/],
  ["a large client id", "d", { clientId: 2n ** 63n }, RangeError, /clientId is 9223372036854775808n/],
  ["a controller as signal", "d", { signal: new AbortController() }, TypeError, /signal is an object \(an AbortSignal/],
  ["a log that is a text", "d", { log: "x" }, TypeError, /log is "x" \(a logger, such as console/],
  ["half a log", "d", { log: { debug() {}, info() {} } }, TypeError, /log\.warn is undefined \(a function/],
  ["limits that are none", "d", { limits: 5 }, TypeError, /limits is 5 \(an object/],
  ["a callback that is none", "d", { onRefused: true }, TypeError, /onRefused is true \(a function/],
] as const) {
  test(`attach refuses ${what}, and nothing runs`, () => {
    refused(() => attach(domain as never, options as AttachOptions), type as new () => Error, said, what);
    assert.equal(eventLoop().timers.list(), []);
  });
}

test("calls of a domain refuse what they can not use; the domain can be used and closed afterwards", async () => {
  const journal = new Journal();
  const domain = attach({ servers: [nobody] }, { env: ENV, log: journal.log });
  const service = domain.publish({});
  const no = {} as AbortSignal;
  for (const [call, said] of [
    [() => domain.publish(null as never), /^the properties of a service are null \(an object or a Map/],
    [() => domain.publish("abc" as never), /are "abc"/],
    [() => domain.publish([["a", 1]] as never), /are an array/],
    [() => domain.publish(new Set(["a"]) as never), /are a Set/],
    [() => domain.publish(new Map([[1, "x"]]) as never), /the name of a property is 1/],
    [() => domain.publish({}, 30 as never), /options is 30/],
    [() => service.modify(undefined as never), /are undefined/],
    [() => domain.subscribe("(a=b)" as never, undefined as never), /onMatch is undefined \(a function/],
    [() => domain.subscribe((() => {}) as never, undefined as never), /onMatch is undefined/],
    [() => domain.subscribe(null as never, () => {}), /the filter is null/],
    [() => domain.matches(undefined, { signal: no }), /matches\(\): signal is an object \(an AbortSignal/],
    [() => domain.watch(undefined, { signal: no }), /watch\(\): signal/],
    [() => domain.connected({ signal: no }), /connected\(\): signal/],
    [() => domain.connected({ servers: "2" as never }), /connected\(\): servers is "2"/],
    [() => service.published({ signal: no }), /published\(\): signal/],
    [() => domain.watch().until(true as never), /condition is true \(a function/],
  ] as const) {
    refused(call, TypeError, said, String(call));
  }
  refused(() => domain.connected({ servers: 0 }), RangeError, /servers is 0 \(a whole number of 1 or more/, "none");
  await soon(domain.close({ signal: no }), "close");
  await journal.says(/close\(\): what is given as its signal is none/);
  await domain.close(null as never);
  assert.equal(eventLoop().timers.list(), []);
});

test("what can never be sent is refused, to the byte; what fits is published", async () => {
  const server = await RestartableServer.start();
  const journal = new Journal();
  const domain = attach(server.address, { env: ENV, log: journal.log });
  // A control character takes six bytes as JSON: small for libpaf's measure, too large for a message.
  const service = domain.publish({ a: "\u0001".repeat(10_000) });
  await soon(service.published(), "the service");
  for (const text of ["\u0001".repeat(32_000), "\ud800".repeat(10_900), '"'.repeat(32_757)]) {
    assert.throws(
      () => service.modify({ a: text }),
      (error: unknown) => {
        assert.instance(error, ServiceTooLargeError);
        const { size, max, message } = error as ServiceTooLargeError;
        assert.match(message, `a message of ${size} bytes`);
        return max === 65_535 && size > max;
      },
    );
  }
  let fits = 0;
  let tooLarge = 11_000;
  while (tooLarge - fits > 1) {
    const middle = (fits + tooLarge) >> 1;
    try {
      domain.publish({ a: "\u0001".repeat(middle) }).unpublish();
      fits = middle;
    } catch {
      tooLarge = middle;
    }
  }
  // {"ta-cmd":"publish","ta-id":…,"msg-type":"request","service-id":…,"generation":…,"ttl":…,"service-props":{"a":["…"]}}
  const envelope = JSON.stringify({
    "ta-cmd": "publish",
    "ta-id": 0,
    "msg-type": "request",
    "service-id": 0,
    generation: 0,
    ttl: 0,
    "service-props": { a: [""] },
  }).length;
  const digits = 4 * 18;
  assert.is(fits, Math.floor((65_535 - envelope - digits) / 6));
  assert.is(service.generation, 0n);
  await domain.close();
  server.stop();
});

test("texts can not forge a line of the log, or move the cursor; nor can lastError", async () => {
  const journal = new Journal();
  const domain = attach({ servers: [`${nobody}\u001b[2J`] }, { env: ENV, log: journal.log });
  await journal.says(/Not connected: .*\\x1b\[2J/);
  assert.match(domain.links[0]!.lastError!, /^[\x20-\x7e]*\\x1b\[2J[\x20-\x7e]*$/);
  assert.ok(
    journal.lines.every((line) => /^[\x20-\x7e]*$/.test(line)),
    journal.lines.join("\n"),
  );
  await domain.close();
});

test("console is a logger", async () => {
  const said: string[] = [];
  const { warn } = console;
  console.warn = (message: string) => said.push(message);
  try {
    const journal = new Watch();
    const onLinkState = () => journal.happened();
    const domain = attach({ servers: [nobody] }, { env: ENV, log: console, onLinkState });
    await journal.until(() => said.length > 0, "a warning");
    await domain.close();
  } finally {
    console.warn = warn;
  }
  assert.match(said[0]!, /^ux:.*: Not connected: .*nobody is listening there/);
});

test("what has the same signal for everything gets no warning of Node.js", async () => {
  const warnings: Error[] = [];
  const hear = (warning: Error) => warnings.push(warning);
  process.on("warning", hear);
  const { signal } = new AbortController();
  const domains: Domain[] = [];
  for (let i = 0; i < 3; i++) domains.push(attach({ servers: [nobody] }, { env: ENV, signal }));
  const [domain] = domains;
  const service = domain!.publish({});
  const waiting = Array.from({ length: 12 }, () => [
    domain!.matches(present("a"), { signal }).next(),
    domain!.watch(undefined, { signal }),
    domain!.connected({ signal }),
    service.published({ signal }),
  ]);
  await new Promise((resolve) => setImmediate(resolve));
  for (const one of domains) await one.close();
  await Promise.allSettled(waiting.flat());
  process.off("warning", hear);
  assert.equal(warnings, []);
});

test("servers as addresses, and mixed with settings", async () => {
  const server = await RestartableServer.start();
  const domain = attach({ servers: [server.address, { address: nobody }] }, { env: ENV });
  domain.publish({ name: "x" });
  await new Consumer(domain).sees(1);
  await domain.close();
  server.stop();
});

test.run();
