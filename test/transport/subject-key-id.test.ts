import { X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { AKI, certificate, der, NULL, octets, SKI, ski } from "../../scripts/fuzz/key-id.js";
import { fuzz } from "../../scripts/fuzz/targets.js";
import { subjectKeyIdOf } from "../../src/transport/subject-key-id.js";
import { Authority, opensslMissing } from "../support/certificates.js";

const test = suite("subject key id");

const hex = (text: string) => Buffer.from(text, "hex");
const id = hex("00112233445566778899aabbccddeeff00112233");
const other = der(0x30, [AKI, octets(octets(hex("ff")))]);
const lookalike = der(0x30, [AKI, octets(Buffer.concat([SKI, octets(octets(hex("bad0")))]))]);

for (const [what, bytes, expected] of [
  ["alone", certificate([ski(octets(id))]), id],
  ["behind others", certificate([other, ski(octets(id))]), id],
  ["critical", certificate([ski(octets(id), hex("0101ff"))]), id],
  ["behind unique identifiers", certificate([ski(octets(id))], [der(0x81, hex("00ff")), der(0x82, hex("00ff"))]), id],
  [
    "without a version",
    der(0x30, der(0x30, [hex("020101"), NULL, NULL, NULL, NULL, NULL, der(0xa3, der(0x30, ski(octets(id))))])),
    id,
  ],
  ["empty", certificate([ski(octets(hex("")))]), hex("")],
  ["long", certificate([ski(octets(Buffer.alloc(300, 7)))]), Buffer.alloc(300, 7)],
  ["with lengths of four bytes", certificate([der(0x30, [SKI, der(0x04, octets(id), 4)], 4)]), id],
  ["not there", certificate([other]), hex("")],
  ["only something in another extension that looks like it", certificate([lookalike]), hex("")],
  ["only something in the serial number that looks like it", certificate([], [], der(0x02, ski(octets(id)))), hex("")],
  ["no extensions", der(0x30, der(0x30, [hex("020101"), NULL, NULL, NULL, NULL, NULL])), hex("")],
  ["not an octet string", certificate([ski(der(0x03, id))]), hex("")],
  ["a value that is cut", certificate([ski(octets(id).subarray(0, 10))]), hex("")],
  ["an indefinite length", certificate([der(0x30, [SKI, hex("0480"), octets(id), hex("0000")])]), hex("")],
  ["a length beyond all numbers", hex("3088ffffffffffffffff30"), hex("")],
  ["a length of five bytes", hex("3085000000000530030201ff"), hex("")],
  [
    "another object identifier that begins alike",
    certificate([der(0x30, [der(0x06, hex("551d0e01")), octets(octets(id))])]),
    hex(""),
  ],
  ["nothing", hex(""), hex("")],
  ["one byte", hex("30"), hex("")],
] as const) {
  test(what, () => assert.is(Buffer.from(subjectKeyIdOf(bytes)).toString("hex"), expected.toString("hex")));
}

test("a certificate that is cut anywhere, or with any byte changed", () => {
  const whole = certificate([other, ski(octets(id))]);
  for (let length = 0; length < whole.length; length++) subjectKeyIdOf(whole.subarray(0, length));
  for (let at = 0; at < whole.length; at++) {
    for (let value = 0; value < 256; value++) {
      const changed = Buffer.from(whole);
      changed[at] = value;
      const found = subjectKeyIdOf(changed);
      assert.ok(found.length < whole.length);
    }
  }
});

test("mutated certificates", () => assert.ok(fuzz("key-id", 20_000, 1) > 0));

const missing = opensslMissing();
if (missing) console.log(`skipped: real certificates: ${missing}`);
else {
  test("real certificates, against Node's own reading of the bytes", () => {
    for (const bits of [undefined, 2048]) {
      const { cert } = new Authority(`root-${bits}`).issue("leaf", bits === undefined ? {} : { rsaBits: bits });
      const { raw } = new X509Certificate(readFileSync(cert));
      const found = subjectKeyIdOf(raw);
      assert.is(found.length, 20);
      assert.ok(raw.includes(Buffer.concat([hex("0603551d0e04160414"), found])));
    }
  });
}

test.run();
