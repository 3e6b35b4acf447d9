/** Domain files in both formats (libpaf-client.md, 3). */

import { suite } from "uvu";
import * as assert from "uvu/assert";
import { fuzz } from "../../scripts/fuzz/targets.js";
import { DomainFileError, parseDomainFile } from "../../src/client/domain-file.js";

const test = suite("domain file");
const parse = (text: string) => parseDomainFile(Buffer.from(text), "/d/lab");
const server = (members: object) => JSON.stringify({ servers: [{ address: "tls:h:1", ...members }] });

for (const [what, text, servers] of [
  ["empty", "", []],
  ["comments and blanks", "# tcp:a:1\n\n   \n \t# x\r\n", []],
  ["one address", "tcp:10.0.0.1:4711", [{ address: "tcp:10.0.0.1:4711" }]],
  ["addresses with blanks and CR around", " ux:a \r\n\ttcp:h:1\r\n", [{ address: "ux:a" }, { address: "tcp:h:1" }]],
  ["a transport that this host does not know", "sctp:h:1", [{ address: "sctp:h:1" }]],
  ["a byte order mark", "\ufeffux:a", [{ address: "ux:a" }]],
  ["a brace later", "ux:a{", [{ address: "ux:a{" }]],
  ["JSON without servers", ' \n{"servers": []}', []],
  ["unknown keys", '{"x":1,"servers":[{"address":"ux:a","y":{"z":[]}}]}', [{ address: "ux:a" }]],
  [
    "all keys",
    server({
      localAddress: "tls:10.0.0.1:0",
      networkNamespace: "blue",
      tlsCertificateFile: "c",
      tlsKeyFile: "k",
      tlsTrustedCaFile: "t",
      tlsCrlFile: "r",
      minProtocolVersion: 2,
      maxProtocolVersion: 3,
      minIdleTime: 0.5,
      maxIdleTime: 1e1,
    }),
    [
      {
        address: "tls:h:1",
        localAddress: "tls:10.0.0.1:0",
        networkNamespace: "blue",
        tls: { cert: "c", key: "k", tc: "t", crl: "r" },
        minProtocolVersion: 2,
        maxProtocolVersion: 3,
        minIdleSeconds: 0.5,
        maxIdleSeconds: 10,
      },
    ],
  ],
  [
    "negative values are not set",
    server({ minProtocolVersion: -1, maxProtocolVersion: -9, minIdleTime: -0.5, maxIdleTime: -3 }),
    [{ address: "tls:h:1" }],
  ],
  [
    "a minimum above a maximum that is not set",
    server({ minIdleTime: 9, maxIdleTime: -3 }),
    [{ address: "tls:h:1", minIdleSeconds: 9 }],
  ],
  [
    "utls with one file",
    '{"servers":[{"address":"utls:h:1","tlsKeyFile":""}]}',
    [{ address: "utls:h:1", tls: { key: "" } }],
  ],
  ["the last of two equal keys", '{"servers":[{"address":1,"address":"ux:a"}]}', [{ address: "ux:a" }]],
] as const) {
  test(`valid: ${what}`, () => assert.equal(parse(text), servers));
}

const UX = '{"servers":[\n{"address":"ux:a",\n';

for (const [what, text, said] of [
  ["no colon", "ux:a\nhost", ', line 2: the text "host" is not an XCM address (an address such as "tls:HOST:PORT"'],
  ["no transport", ":x", ', line 1: the text ":x" is not'],
  ["a blank inside", "ux:a b", 'the text "ux:a b" is not'],
  ["NUL inside", "ux:a\0b", 'the text "ux:a\\u0000b" is not'],
  ["a long address", `ux:${"x".repeat(600)}`, "of 578 bytes at most"],
  ["the same address twice", "ux:a\n#\nux:a ", ', line 3: the address "ux:a" is already in line 1'],
  ["not UTF-8", Buffer.from([0x75, 0xff]), ": not UTF-8 text"],
  ["65,536 bytes", "#".repeat(65_536), ": 65536 bytes or more; it must have fewer than 65536"],
  ["broken JSON", '{"servers":[\n{"address"=1}]}', ', line 2: not JSON: expected ":", but there is "=1}]}"'],
  ["text behind the JSON", '{"servers":[]} x', "not JSON: expected nothing more"],
  ["no servers", "{}", '"servers" is missing'],
  ["servers is no array", '{"servers":{}}', '"servers" is an object (an array is accepted)'],
  ["a server is no object", '{"servers":["ux:a"]}', 'servers[0] is the string "ux:a" (an object is accepted)'],
  ["no address", '{"servers":[{"address":"ux:a"},\n{}]}', ", line 2: servers[1].address is missing"],
  ["address is no string", '{"servers":[{"address":null}]}', "servers[0].address is null (a string is accepted)"],
  ["a bad address", '{"servers":[{"address":"a"}]}', 'servers[0].address "a" is not an XCM address'],
  [
    "an address twice",
    '{"servers":[{"address":"ux:a"},\n{"address":"ux:a"}]}',
    'line 2: the address "ux:a" is already in line 1',
  ],
  ["localAddress", `${UX}"localAddress":[]}]}`, "line 3: servers[0].localAddress is an array (a string is accepted)"],
  ["networkNamespace", `${UX}"networkNamespace":true}]}`, "servers[0].networkNamespace is true (a string is accepted)"],
  [
    "a TLS key without TLS",
    `${UX}"tlsKeyFile":"k"}]}`,
    'line 3: servers[0].tlsKeyFile is given for the address "ux:a"',
  ],
  ["a TLS key of another type", server({ tlsCrlFile: 1 }), "servers[0].tlsCrlFile is 1 (a string is accepted)"],
  [
    "a version with a fraction",
    server({}).replace("}]", ',"minProtocolVersion":2.0}]'),
    "minProtocolVersion is 2.0 (an integer is accepted)",
  ],
  ["a version as text", server({ maxProtocolVersion: "3" }), 'maxProtocolVersion is the string "3" (an integer'],
  [
    "versions in the wrong order",
    server({ minProtocolVersion: 3, maxProtocolVersion: 2 }),
    "minProtocolVersion is 3, above maxProtocolVersion, which is 2",
  ],
  [
    "an idle time as text",
    server({ minIdleTime: "4" }),
    'minIdleTime is the string "4" (a number of seconds is accepted)',
  ],
  [
    "idle times in the wrong order",
    server({ minIdleTime: 4.5, maxIdleTime: 4 }),
    "minIdleTime is 4.5, above maxIdleTime, which is 4",
  ],
  [
    "an integer beyond 64 bits",
    server({}).replace("}]", ',"maxIdleTime":9223372036854775808}]'),
    "not JSON: the number",
  ],
] as const) {
  test(`not valid: ${what}`, () => {
    assert.throws(
      () => parseDomainFile(Buffer.from(text as string), "/d/lab"),
      (error: unknown) => {
        if (!(error instanceof DomainFileError)) return false;
        assert.ok(error.message.startsWith("domain file /d/lab") && error.message.includes(said), error.message);
        return error.message.length < 400;
      },
    );
  });
}

test("65,535 bytes are accepted", () => assert.equal(parse("#".repeat(65_535)), []));

test("20,000 random domain files: refused with a bounded text, or exactly what was written", () => {
  const valid = fuzz("domain-file", 20_000);
  assert.ok(valid > 4_000 && valid < 18_000, `${valid} valid ones`);
});
test.run();
