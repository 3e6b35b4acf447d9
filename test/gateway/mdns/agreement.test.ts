/** Which views of one name are the same thing. */

import { test } from "uvu";
import * as assert from "uvu/assert";
import { agreeing } from "../../../src/gateway/mdns/agreement.js";
import type { InstanceView } from "../../../src/gateway/mdns/instance-view.js";

interface Shown {
  readonly host?: string;
  readonly port?: number;
  readonly txt?: readonly string[];
}

const view = (interfaceName: string, { host = "h.local", port = 80, txt = ["v=1"] }: Shown): InstanceView => ({
  name: "a._x._tcp.local",
  label: "a",
  type: "_x._tcp",
  interfaceName,
  subtypes: [],
  host,
  port,
  priority: 0,
  weight: 0,
  txt: txt.map((string) => Buffer.from(string)),
  addresses: ["10.0.0.2"],
});

const CASES: readonly [what: string, one: Shown, other: Shown, isSame: boolean][] = [
  ["the same", {}, {}, true],
  ["hosts that differ in case", {}, { host: "H.Local" }, true],
  ["another host", {}, { host: "g.local" }, false],
  ["another port", {}, { port: 81 }, false],
  ["another TXT", {}, { txt: ["v=2"] }, false],
  ["the TXT in another order", { txt: ["a=1", "b", "c="] }, { txt: ["c=", "a=1", "B"] }, true],
  ["a key with and without a value", { txt: ["a=1", "b="] }, { txt: ["a=1", "b"] }, false],
  ["another host, equal uuid", { txt: ["uuid=12345678"] }, { host: "g.local", txt: ["UUID=12345678", "v=2"] }, true],
  ["another TXT, equal mac", { txt: ["mac=aabbccddeeff", "ip=1"] }, { txt: ["mac=aabbccddeeff", "ip=2"] }, true],
  ["another port, equal uuid", { txt: ["uuid=12345678"] }, { port: 81, txt: ["uuid=12345678"] }, false],
  ["equal ids that are too short to be unique", { txt: ["id=1", "v=1"] }, { txt: ["id=1", "v=2"] }, false],
  ["ids without value", { txt: ["id", "v=1"] }, { txt: ["id", "v=2"] }, false],
  ["different ids", { txt: ["id=12345678"] }, { txt: ["id=12345679"] }, false],
];
for (const [what, one, other, isSame] of CASES) {
  test(`${what}: ${isSame ? "one thing" : "two things"}`, () => {
    const { views, isContested } = agreeing([view("eth1", other), view("eth0", one)], [])!;
    assert.equal(
      [views.map(({ interfaceName }) => interfaceName), isContested],
      [isSame ? ["eth0", "eth1"] : ["eth0"], !isSame],
    );
  });
}

test("the interface that was preferred before decides", () => {
  const { views } = agreeing([view("eth0", {}), view("eth1", { port: 81 })], ["eth1"])!;
  assert.equal(
    views.map(({ port }) => port),
    [81],
  );
});

test("nothing shown is nothing", () => assert.is(agreeing([], ["eth0"]), undefined));

test.run();
