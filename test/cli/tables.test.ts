/** Tables, match lines and JSON, compared letter by letter with the reference's formats (pafd-and-pafc.md, 3.1). */

import { test } from "uvu";
import * as assert from "uvu/assert";
import { clientJson, matchJson, serviceJson, subscriptionJson, toJson } from "../../src/cli/json.js";
import {
  clientRow,
  clientsHeader,
  formatProperties,
  formatUptime,
  matchLine,
  SUBSCRIPTIONS_HEADER,
  servicesTable,
  subscriptionRow,
} from "../../src/cli/tables.js";
import { printable } from "../../src/core/printable.js";
import { properties } from "../../src/core/properties.js";

const NOW = 1_700_000_000;
const plain = {
  id: 0x1fn,
  generation: 0n,
  ttlSeconds: 30n,
  owner: 0x2an,
  properties: properties({ name: "abc", n: 42, s: "42" }),
};
const largest = {
  ...plain,
  id: 2n ** 63n - 1n,
  generation: 9007199254740993n,
  owner: 2n ** 63n - 1n,
  orphanSince: NOW - 17.66,
  properties: properties({ n: [9007199254740993n, "x"] }),
};

test("services", () => {
  assert.equal(servicesTable([], NOW), ["      Service Id  Gen  TTL  Orphan Tmo  Owner              Properties"]);
  assert.equal(servicesTable([plain, { ...plain, orphanSince: NOW - 40 }], NOW), [
    "      Service Id  Gen  TTL  Orphan Tmo  Owner              Properties",
    "              1f    0   30           -  2a                 {'name': 'abc', 'n': 42, 's': '42'}",
    "              1f    0   30         0.0  2a                 {'name': 'abc', 'n': 42, 's': '42'}",
  ]);
  assert.equal(servicesTable([plain, largest], NOW), [
    "      Service Id              Gen  TTL  Orphan Tmo  Owner              Properties",
    "              1f                0   30           -  2a                 {'name': 'abc', 'n': 42, 's': '42'}",
    "7fffffffffffffff 9007199254740993   30        12.3  7fffffffffffffff   {'n': 9007199254740993, 'n': 'x'}",
  ]);
  assert.is(formatProperties(new Map()), "{}");
});

test("subscriptions", () => {
  assert.is(SUBSCRIPTIONS_HEADER, "Subscription Id   Owner Id           Filter Expression");
  assert.is(
    subscriptionRow({ id: 0x5100b16f763ff763n, client: 0x2an, filter: "(name=*)" }),
    "5100b16f763ff763  2a                 (name=*)",
  );
  assert.is(subscriptionRow({ id: 1n, client: 2n ** 63n - 1n }), "1                 7fffffffffffffff   -");
});

test("clients", () => {
  const client = { id: 0x2an, address: "ux:037c5", connectedAt: NOW - 93_784 };
  assert.is(clientsHeader(2), "Client Id         Remote Address    Uptime");
  assert.is(clientsHeader(3), "Client Id         Remote Address    Uptime     Idle [s]   Latency [ms]  Version");
  assert.is(clientRow(client, 2, NOW), "2a                ux:037c5          1 day, 2:03:04");
  const v3 = { ...client, connectedAt: NOW - 5, idleSeconds: 1.23456, protocolVersion: 3 };
  assert.is(clientRow(v3, 3, NOW), "2a                ux:037c5          0:00:05    1.235      -             3");
  assert.is(
    clientRow({ ...v3, latencySeconds: 0.00123, protocolVersion: 2 }, 3, NOW),
    "2a                ux:037c5          0:00:05    1.235      1.2           2",
  );
});

test("uptime as Python prints it", () => {
  for (const [seconds, text] of [
    [-1, "0:00:00"],
    [0.99, "0:00:00"],
    [59, "0:00:59"],
    [36_061, "10:01:01"],
    [86_399, "23:59:59"],
    [86_400, "1 day, 0:00:00"],
    [172_801, "2 days, 0:00:01"],
  ] as const) {
    assert.is(formatUptime(seconds), text);
  }
});

test("match lines", () => {
  assert.is(
    matchLine(0x5100b16f763ff763n, { type: "appeared", service: { ...plain, orphanSince: NOW - 17.66 } }, NOW),
    "Subscription 5100b16f763ff763: Match type: appeared; Service id: 1f; Generation: 0; TTL: 30; " +
      "Orphan: 12.3 s until timeout; Client Id: 0x2a; Properties: {'name': 'abc', 'n': 42, 's': '42'}",
  );
  assert.is(
    matchLine(1n, { type: "modified", service: { ...plain, properties: new Map() } }, NOW),
    "Subscription 1: Match type: modified; Service id: 1f; Generation: 0; TTL: 30; Client Id: 0x2a; Properties: {}",
  );
  assert.is(
    matchLine(1n, { type: "disappeared", serviceId: 0x1fn }, NOW),
    "Subscription 1: Match type: disappeared; Service id: 1f",
  );
});

test("JSON is exact, and reads back", () => {
  assert.is(
    toJson([serviceJson(plain), serviceJson(largest)]),
    '[{"id":"1f","generation":0,"ttl":30,"owner":"2a","properties":{"name":["abc"],"n":[42],"s":["42"]}},' +
      '{"id":"7fffffffffffffff","generation":9007199254740993,"ttl":30,"owner":"7fffffffffffffff",' +
      '"orphanSince":1699999982.34,"properties":{"n":[9007199254740993,"x"]}}]',
  );
  assert.is(toJson([]), "[]");
  assert.is(toJson(subscriptionJson({ id: 1n, client: 2n })), '{"id":"1","owner":"2"}');
  assert.is(
    toJson(subscriptionJson({ id: 1n, client: 2n, filter: '(a="\\)' })),
    '{"id":"1","owner":"2","filter":"(a=\\"\\\\)"}',
  );
  assert.is(
    toJson(clientJson({ id: 42n, address: "ux:1", connectedAt: 5, idleSeconds: 0.5, protocolVersion: 3 })),
    '{"id":"2a","address":"ux:1","connectedAt":5,"idleSeconds":0.5,"protocolVersion":3}',
  );
  assert.is(
    toJson(matchJson(15n, { type: "disappeared", serviceId: 31n })),
    '{"subscription":"f","type":"disappeared","service":{"id":"1f"}}',
  );
});

const HOSTILE = "\x1b[2J\x07\r\n\t\x00\x7f\x9b31m\u202e\u2028\ufeff\ud800'\"\\ å 日本 😀";

test("hostile texts reach neither table nor JSON raw, and JSON still says exactly the same", () => {
  const hostile = { ...plain, properties: new Map([[HOSTILE, [HOSTILE]]]) };
  const shown = [
    servicesTable([hostile], NOW)[1],
    subscriptionRow({ id: 1n, client: 2n, filter: HOSTILE }),
    clientRow({ id: 1n, address: HOSTILE, connectedAt: 0 }, 2, NOW),
    matchLine(1n, { type: "appeared", service: hostile }, NOW),
    toJson(serviceJson(hostile)),
  ];
  for (const text of shown) {
    assert.not.match(text, /[\u0000-\u001f\u007f-\u009f\u2028\u202e\ufeff]/);
    assert.match(text, "å 日本 😀");
    assert.ok(Buffer.from(text).toString() === text, "is valid Unicode");
  }
  assert.equal(JSON.parse(toJson(serviceJson(hostile))).properties, { [HOSTILE]: [HOSTILE] });
  const proto = toJson(serviceJson({ ...plain, properties: new Map([["__proto__", ["x"]]]) }));
  assert.match(proto, '"properties":{"__proto__":["x"]}');
});

test("every unit below 0x10000 is either shown as it is or escaped in plain ASCII", () => {
  for (let unit = 0; unit < 0x10000; unit++) {
    const character = String.fromCharCode(unit);
    const shown = printable(character);
    if (shown !== character) assert.match(shown, /^\\(?:[nrt]|x[0-9a-f]{2}|u[0-9a-f]{4})$/);
    else assert.ok(unit >= 0x20 && (unit < 0x7f || unit > 0x9f) && (unit < 0xd800 || unit > 0xdfff), unit.toString(16));
  }
});

test.run();
