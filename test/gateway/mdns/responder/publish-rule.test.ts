/** From the directory's properties to what mDNS publishes, or why not. */

import { test } from "uvu";
import * as assert from "uvu/assert";
import { properties } from "../../../../src/core/properties.js";
import { type PublishRule, ruleProblems, wantedService } from "../../../../src/gateway/mdns/responder/publish-rule.js";

const of = (name: string) => `\${${name}}`;
const MARKS = { scope: "attic", gateway: "gw" };
type Properties = Parameters<typeof properties>[0];
const LAMP: Properties = { name: "Lamp", "mdns.type": "_x._tcp", port: 80 };
const MARKED = ["sdid=00000000000000ff", "sdgw=gw"];

const leftOut: string[] = [];
test.before.each(() => void leftOut.splice(0));

const shown = (extra: Properties = {}, rule: Partial<PublishRule> = {}, marks = MARKS) => {
  const of = properties({ ...LAMP, ...extra });
  const wanted = wantedService({ filter: "(a=*)", ...rule }, 255n, of, marks, ({ what, reason }) => {
    leftOut.push(`${what.slice(0, 20)}: ${reason}`);
  });
  return typeof wanted === "string"
    ? wanted
    : { ...wanted, txt: wanted.txt.map((string) => string.toString("latin1")) };
};

const PLAIN = { sdid: "00000000000000ff", label: "Lamp", type: "_x._tcp", subtypes: [], port: 80, txt: MARKED };

const TAKEN: readonly [what: string, extra: Properties, rule: Partial<PublishRule>, wanted: object][] = [
  ["the defaults", {}, {}, {}],
  ["a port as text", { port: "81" }, {}, { port: 81 }],
  [
    "templates with text around",
    { room: "attic" },
    { instance: `${of("name")} in ${of("room")}`, type: "_y._udp", port: "1" },
    { label: "Lamp in attic", type: "_y._udp", port: 1 },
  ],
  ["the first of several values", { name: ["A", "B"] }, {}, { label: "A" }],
  ["another scope", { src: ["mdns:cellar", "mqtt:x"] }, {}, {}],
  [
    "TXT of all three kinds, sorted",
    { "txt.b": "2", "txt.a": 1, "txtflag.c": 1, "txtb64.d": "AP8=" },
    {},
    { txt: ["a=1", "b=2", "d=\0\xff", "c", ...MARKED] },
  ],
  [
    "TXT by mapping",
    { note: "hi", "txt.a": 1 },
    { txt: { path: "/", n: of("note") } },
    { txt: ["path=/", "n=hi", ...MARKED] },
  ],
  [
    "addresses: a host of its own",
    { addr: ["10.0.0.9", "fd00::1"] },
    {},
    { host: { name: "d-00000000000000ff.local", addresses: ["10.0.0.9", "fd00::1"] } },
  ],
  [
    "link-local addresses keep their interface",
    { addr: ["fe80::1%eth0"] },
    {},
    { host: { name: "d-00000000000000ff.local", addresses: ["fe80::1%eth0"] } },
  ],
  [
    "addresses that are none are left out",
    { addr: ["x", "10.0.0.9", "127.0.0.1", "::", "10.0.0.9%eth0"] },
    {},
    { host: { name: "d-00000000000000ff.local", addresses: ["10.0.0.9"] } },
  ],
  [
    "a host's name",
    { addr: ["10.0.0.9"], h: "Küche 2.local" },
    { host: of("h") },
    { host: { name: "k-che-2.local", addresses: ["10.0.0.9"] } },
  ],
  [
    "addresses from elsewhere",
    { ip: "10.0.0.9" },
    { addresses: of("ip") },
    { host: { name: "d-00000000000000ff.local", addresses: ["10.0.0.9"] } },
  ],
  ["subtypes, all of them", { "mdns.sub": ["_b", "_a"] }, {}, { subtypes: ["_a", "_b"] }],
  ["subtypes by mapping", { s: ["_b"] }, { subtypes: ["_a", of("s"), of("missing")] }, { subtypes: ["_a", "_b"] }],
  ["a name with control characters", { name: "a\u0000b\n" }, {}, { label: "a b" }],
  ["a name in NFC", { name: "u\u0308" }, {}, { label: "ü" }],
  ["a name cut at 63 bytes, at a character", { name: `${"x".repeat(62)}é!` }, {}, { label: "x".repeat(62) }],
  ["a name cut before an emoji of many parts", { name: `${"x".repeat(50)}👩‍👩‍👧‍👦` }, {}, { label: "x".repeat(50) }],
];
for (const [what, extra, rule, wanted] of TAKEN) {
  test(`published: ${what}`, () => assert.equal(shown(extra, rule), { ...PLAIN, ...wanted }));
}

const REFUSED: readonly [extra: Properties, rule: Partial<PublishRule>, why: string][] = [
  [{ src: "mdns:attic" }, {}, "comes from this link"],
  [{ src: ["mqtt:x", "mdns:attic"] }, {}, "comes from this link"],
  [{ src: "gateway:gw" }, {}, "is a gateway's state"],
  [{ "txt.sdid": "1" }, {}, "was announced by a gateway"],
  [{}, { instance: of("nothing") }, "lacks a property"],
  [{}, { txt: { a: of("nothing") } }, "lacks a property"],
  [{}, { addresses: of("nothing") }, "lacks a property"],
  [{ addr: "10.0.0.9" }, { host: of("nothing") }, "lacks a property"],
  [{ name: "" }, {}, "name is empty"],
  [{ name: " \u0001" }, {}, "name is empty"],
  [{ "mdns.type": "x" }, {}, "type is not a service type"],
  [{ "mdns.type": "_x._sctp" }, {}, "type is not a service type"],
  [{ "mdns.type": "_sixteen-letters-._tcp" }, {}, "type is not a service type"],
  [{ "mdns.type": "_123._tcp" }, {}, "type is not a service type"],
  [{ "mdns.type": "_a_b._tcp" }, {}, "type is not a service type"],
  [{ "mdns.type": "_-a._tcp" }, {}, "type is not a service type"],
  [{ "mdns.type": "_a._sub._x._tcp" }, {}, "type is not a service type"],
  [{ "mdns.type": "_dns-sd._udp" }, {}, "type is not a service type"],
  [{ port: 0 }, {}, "port is not 1 … 65535"],
  [{ port: 65_536 }, {}, "port is not 1 … 65535"],
  [{ port: "http" }, {}, "port is not 1 … 65535"],
  [{ port: -1 }, {}, "port is not 1 … 65535"],
  [{ addr: "10.0.0.9" }, { host: "--" }, "host is not a host name"],
  [{ addr: "somewhere" }, {}, "has no usable address"],
  [{}, { host: "kitchen" }, "has no usable address"],
  [{ "mdns.sub": "x".repeat(64) }, {}, "subtype is not a label"],
  [Object.fromEntries([1, 2, 3, 4, 5, 6].map((i) => [`txt.${i}`, "x".repeat(220)])), {}, "TXT is too long"],
];
for (const [extra, rule, why] of REFUSED) {
  const what = JSON.stringify(extra).slice(0, 50);
  test(`not published: ${what} ${JSON.stringify(rule)}: ${why}`, () => assert.is(shown(extra, rule), why));
}

test("a TXT key or value that is not allowed, and an address that is none, are left out and told; the rest is published", () => {
  const txt = { "txt.a": "x".repeat(254), "txt.b": "x".repeat(253), "txt.ü": "1", "txt.": "1", "txtflag.x=y": 1 };
  assert.equal(shown({ ...txt, addr: ["somewhere", "10.0.0.9", "10.0.0.999"] }), {
    ...PLAIN,
    host: { name: "d-00000000000000ff.local", addresses: ["10.0.0.9"] },
    txt: [`b=${"x".repeat(253)}`, ...MARKED],
  });
  assert.equal(leftOut, [
    "somewhere: address is not usable",
    "10.0.0.999: address is not usable",
    ": TXT key is not allowed",
    "a: TXT string is too long",
    "ü: TXT key is not allowed",
    "x=y: TXT key is not allowed",
  ]);
});

test("a TXT value by mapping that is too long is left out", () => {
  assert.equal(shown({ note: "x".repeat(252) }, { txt: { a: "1", key: of("note") } }), {
    ...PLAIN,
    txt: ["a=1", ...MARKED],
  });
  assert.equal(leftOut, ["key: TXT string is too long"]);
});

test("without its marks nothing is published", () => {
  assert.is(shown({}, {}, { ...MARKS, gateway: "g".repeat(251) }), "gateway's name is too long");
});

test("the largest TXT that is published still fits one packet, however long the names", () => {
  const txt = (bytes: number) => Object.fromEntries([1, 2, 3, 4, 5].map((i) => [`txt.${i}`, "x".repeat(bytes)]));
  assert.is(typeof shown({ ...txt(200), name: "n".repeat(63) }), "object");
  assert.is(shown({ ...txt(235), name: "n".repeat(63) }), "TXT is too long");
});

test("what of a rule cannot be used is told by key", () => {
  const rule = { filter: "", instance: "${", host: of("x"), subtypes: ["_a", of("")], txt: { "a=b": "1", c: "${" } };
  assert.equal(
    ruleProblems(rule).map(({ key }) => key),
    ["instance", "subtypes[1]", "txt.a=b", "txt.c"],
  );
});

const LITERALS: readonly [rule: Partial<PublishRule>, key: string, message: string][] = [
  [{ instance: " " }, "instance", '" ": expected a name that is not empty'],
  [{ type: "http" }, "type", '"http": expected a service type such as _http._tcp'],
  [{ port: "99999" }, "port", '"99999": expected a number from 1 to 65535'],
  [{ port: "0" }, "port", '"0": expected a number from 1 to 65535'],
  [{ port: "http" }, "port", '"http": expected a number from 1 to 65535'],
  [{ host: "--.local" }, "host", '"--.local": expected a host name, with a letter or digit'],
  [{ addresses: "attic" }, "addresses", '"attic": expected an IPv4 or IPv6 address that a host can have'],
  [{ subtypes: ["_a", ""] }, "subtypes[1]", '"": expected 1 to 63 bytes'],
  [{ txt: { a: "x".repeat(254) } }, "txt.a", `"${"x".repeat(100)}": expected at most 255 bytes with its key`],
];
for (const [rule, key, message] of LITERALS) {
  test(`a text without a property that can never be published is told: ${JSON.stringify(rule).slice(0, 40)}`, () => {
    assert.equal(ruleProblems({ filter: "(a=*)", ...rule }), [{ key, message }]);
  });
}

test("a text without a property that can be published is no problem, and one with a property is seen when it is known", () => {
  const literal = { instance: "Lamp", type: "_http._tcp", port: "80", host: "a.local", addresses: "10.0.0.1" };
  const more = { subtypes: ["_a"], txt: { a: "", b: "x".repeat(253) } };
  assert.equal(ruleProblems({ filter: "(a=*)", ...literal, ...more }), []);
  const late = { type: `_${of("kind")}._tcp`, port: `8${of("n")}`, addresses: of("ip"), subtypes: [of("sub")] };
  assert.equal(ruleProblems({ filter: "(a=*)", ...late }), []);
});

test.run();
