/** Subnets, compared with Node.js' own (slow) answer. */

import { BlockList } from "node:net";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { subnet } from "../../../src/gateway/mdns/addresses.js";

const BASES = ["10.77.170.85", "203.0.113.129", "fd00:1234:5678:9abc:def0:1:2:3", "2001:db8::1", "::1"];

/** With one bit changed, in the form of RFC 5952. */
function flipped(address: string, bit: number): string {
  if (!address.includes(":")) {
    return address
      .split(".")
      .map((part, i) => (i === bit >> 3 ? Number(part) ^ (0x80 >> (bit & 7)) : part))
      .join(".");
  }
  const [before, after = ""] = address.split("::").map((half) => (half ? half.split(":") : [])) as string[][];
  const zeros = Array(8 - before.length - after.length).fill("0");
  const groups = [...before, ...zeros, ...after].map((group, i) =>
    i === bit >> 4 ? Number.parseInt(group, 16) ^ (0x8000 >> (bit & 15)) : Number.parseInt(group, 16),
  );
  return new URL(`http://[${groups.map((group) => group.toString(16)).join(":")}]`).hostname.slice(1, -1);
}

for (const base of BASES) {
  const bits = base.includes(":") ? 128 : 32;
  const family = bits === 128 ? "ipv6" : "ipv4";
  test(`all subnets of ${base}, and each address that is one bit away`, () => {
    for (let length = 0; length <= bits; length++) {
      const has = subnet(base, length);
      const reference = new BlockList();
      reference.addSubnet(base, length, family);
      for (const other of [base, ...Array.from({ length: bits }, (_, bit) => flipped(base, bit))]) {
        assert.is(has(other), reference.check(other, family), `${other} in ${base}/${length}`);
      }
    }
  });
}

test("the other family, and what is no address, is in no subnet", () => {
  for (const [of, other] of [
    ["10.0.0.1", "::"],
    ["fd00::1", "0.0.0.0"],
    ["10.0.0.1", ""],
    ["fd00::1", ""],
    ["10.0.0.1", "10.0.0"],
  ]) {
    assert.not.ok(subnet(of, 0)(other), `${other} in ${of}/0`);
  }
});

test.run();
