import { test } from "uvu";
import * as assert from "uvu/assert";
import { formatHostAndPort, formatUx } from "../../src/transport/address.js";
import { formatAddress, parseAddress, TransportError } from "../../src/transport/index.js";

const long = (n: number) => "n".repeat(n);

/** Address → canonical form, from xcm-transports.md, 1. */
const VALID: readonly (readonly [string, string])[] = [
  ["ux:pathfinder", "ux:pathfinder"],
  ["ux:127.0.0.1:4711", "ux:127.0.0.1:4711"],
  ["ux:a/b:c", "ux:a/b:c"],
  ["ux:päth", "ux:päth"],
  [`ux:${long(107)}`, `ux:${long(107)}`],
  ["uxf:/run/paf.sock", "uxf:/run/paf.sock"],
  ["uxf:relative/path", "uxf:relative/path"],
  ["tcp:127.0.0.1:4711", "tcp:127.0.0.1:4711"],
  ["tcp:127.0.0.1:", "tcp:127.0.0.1:0"],
  ["tcp:127.0.0.1:0", "tcp:127.0.0.1:0"],
  ["tcp:127.0.0.1:010", "tcp:127.0.0.1:10"],
  ["tcp:127.0.0.1:65535", "tcp:127.0.0.1:65535"],
  ["tcp:*:5", "tcp:0.0.0.0:5"],
  ["tcp:[*]:5", "tcp:[::]:5"],
  ["tcp:[::]:5", "tcp:[::]:5"],
  ["tcp:[0:0::1]:5", "tcp:[::1]:5"],
  ["tcp:[2001:DB8::0001]:5", "tcp:[2001:db8::1]:5"],
  ["tcp:[::ffff:192.0.2.1]:5", "tcp:[::ffff:192.0.2.1]:5"],
  ["tcp:[::ffff:c000:201]:5", "tcp:[::ffff:192.0.2.1]:5"],
  ["tcp:localhost:5", "tcp:localhost:5"],
  ["tcp:Foo.Example:5", "tcp:Foo.Example:5"],
  ["tcp:foo.bar.:5", "tcp:foo.bar.:5"],
  ["tcp:-foo:5", "tcp:-foo:5"],
  ["tcp:foo.bar..baz:5", "tcp:foo.bar..baz:5"],
  ["tcp:256.1.1.1:5", "tcp:256.1.1.1:5"],
  ["tcp:1.2.3:5", "tcp:1.2.3:5"],
  ["tcp:01.2.3.4:5", "tcp:01.2.3.4:5"],
  [`tcp:${long(253)}:5`, `tcp:${long(253)}:5`],
  ["tls:*:4711", "tls:0.0.0.0:4711"],
  ["utls:[0::1]:4711", "utls:[::1]:4711"],
];

for (const [text, canonical] of VALID) {
  test(`${text} is valid`, () => {
    const address = parseAddress(text);
    assert.is(formatAddress(address), canonical);
    assert.equal(parseAddress(canonical), address, "the canonical form reads as the same address");
  });
}

const INVALID: readonly (readonly [string, string])[] = [
  ["", "EINVAL"],
  ["pathfinder", "EINVAL"],
  ["ux:", "EINVAL"],
  [`ux:${long(108)}`, "EINVAL"],
  [`ux:${"ä".repeat(54)}`, "EINVAL"],
  ["ux:a b", "EINVAL"],
  ["ux:a ", "EINVAL"],
  ["ux:a\n", "EINVAL"],
  ["ux:a\0b", "EINVAL"],
  ["uxf:", "EINVAL"],
  ["TCP:127.0.0.1:5", "ENOPROTOOPT"],
  ["foo:1", "ENOPROTOOPT"],
  ["sctp:127.0.0.1:5", "ENOPROTOOPT"],
  ["btcp:127.0.0.1:5", "ENOPROTOOPT"],
  [`${long(33)}:1`, "EINVAL"],
  [`tcp:${long(600)}:1`, "EINVAL"],
  [`tcp:${long(254)}:1`, "EINVAL"],
  ["tcp:127.0.0.1", "EINVAL"],
  ["tcp::5", "EINVAL"],
  ["tcp:127.0.0.1:65536", "EINVAL"],
  ["tcp:127.0.0.1:4294967376", "EINVAL"],
  ["tcp:127.0.0.1:0x10", "EINVAL"],
  ["tcp:127.0.0.1:+5", "EINVAL"],
  ["tcp:127.0.0.1:-0", "EINVAL"],
  [`tcp:127.0.0.1:${"0".repeat(33)}`, "EINVAL"],
  ["tcp:[]:5", "EINVAL"],
  ["tcp:[::1:5", "EINVAL"],
  ["tcp:::1:5", "EINVAL"],
  ["tcp:[::1]5", "EINVAL"],
  ["tcp:[127.0.0.1]:5", "EINVAL"],
  ["tcp:[fe80::1%eth0]:5", "EINVAL"],
  ["tcp:foo.:5", "EINVAL"],
  ["tcp:foo..bar:5", "EINVAL"],
  ["tcp:foo_bar:5", "EINVAL"],
  ["tcp:foo:bar:5", "EINVAL"],
  [`utls:${long(103)}:4711`, "EINVAL"],
];

for (const [text, code] of INVALID) {
  test(`${JSON.stringify(text.slice(0, 50))} gives ${code}`, () => {
    try {
      parseAddress(text);
    } catch (error) {
      assert.instance(error, TransportError);
      assert.is((error as TransportError).code, code);
      assert.match((error as TransportError).message, "address ");
      assert.ok((error as TransportError).message.length < 400, "the message stays short");
      return;
    }
    assert.unreachable("it was accepted");
  });
}

test("an unknown transport is told what is accepted", () => {
  assert.throws(() => parseAddress("tpc:127.0.0.1:5"), /unknown transport "tpc"; accepted are "ux:NAME", "uxf:PATH"/);
});

for (const [sunPath, text] of [
  ["", "ux:"],
  ["\x00037c5", "ux:037c5"],
  ["\0abc", "ux:abc"],
  ["/a/b\0", "ux:a/b"],
  ["\0ab\0cd", "ux:ab"],
] as const) {
  test(`sun_path ${JSON.stringify(sunPath)} is printed as ${text}`, () => {
    assert.is(formatUx(Buffer.from(sunPath, "latin1")), text);
  });
}

for (const [ip, text] of [
  ["127.0.0.1", "tcp:127.0.0.1:1"],
  ["::1", "tcp:[::1]:1"],
  ["::ffff:127.0.0.1", "tcp:[::ffff:127.0.0.1]:1"],
  ["fe80::1%eth0", "tcp:[fe80::1]:1"],
] as const) {
  test(`${ip} is printed as ${text}`, () => assert.is(`tcp:${formatHostAndPort(ip, 1)}`, text));
}

test("random text is either refused with a TransportError or has a canonical form that reads the same", () => {
  const alphabet = "uxftcpls:[]*.%0123456789abAZ-_ \0\n\\é";
  let seed = 1;
  const random = (n: number) => (seed = (seed * 48_271) % 2_147_483_647) % n;
  let accepted = 0;
  for (let i = 0; i < 20_000; i++) {
    let text = ["ux:", "uxf:", "tcp:", "tcp:[", ""][random(5)]!;
    for (let n = random(20); n > 0; n--) text += alphabet[random(alphabet.length)];
    try {
      const address = parseAddress(text);
      assert.equal(parseAddress(formatAddress(address)), address);
      accepted++;
    } catch (error) {
      assert.instance(error, TransportError, text);
    }
  }
  assert.ok(accepted > 100, `only ${accepted} were accepted`);
});

test.run();
