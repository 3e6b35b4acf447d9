/** The real server over TLS: who is let in, whose its services are, and what the log says of those who are not. */

import { connect as connectRaw } from "node:net";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Session } from "../../src/client/session.js";
import { Authority, EXPIRED, opensslMissing, selfSigned, tlsDirectory } from "../support/certificates.js";
import { OpensslClient } from "../support/openssl-client.js";
import { boundAddress, eventually, openDescriptors, runPafd, withPafd } from "../support/pafd.js";
import { endSoon, rejection } from "../support/transport-peers.js";

const test = suite("pafd and tls");
test.after(endSoon);
const missing = opensslMissing();
const GIVEN = "utls:127.0.0.1:0";

function withCertificates(): void {
  const root = new Authority("root");
  const env = { XCM_TLS_CERT: tlsDirectory("server", root.issue("server"), root.cert) };
  const peer = (name: string) => ({ ...root.issue(name), tc: root.cert });

  test("clients are who their certificates say, over tls and over the local half", async () => {
    const [anna, bert] = [peer("anna"), peer("bert")];
    await withPafd(
      [GIVEN],
      async (pafd) => {
        const local = await boundAddress(pafd, GIVEN);
        const address = local.replace("utls:", "tls:");
        const [first, again, other, fourth] = await Promise.all([
          Session.connect(address, { clientId: 1n, tls: anna }),
          Session.connect(address, { clientId: 2n, tls: anna }),
          Session.connect(address, { clientId: 3n, tls: bert }),
          Session.connect(local, { clientId: 4n }),
        ]);
        const service = { id: 5n, generation: 1n, properties: new Map([["name", ["x"]]]), ttlSeconds: 60n };
        await first.publish(service as never);
        for (const stranger of [other, fourth]) {
          const refusal = await stranger.unpublish(5n).then(
            () => "accepted",
            (error) => error.failReason,
          );
          assert.is(refusal, "permission-denied");
        }
        await again.unpublish(5n);
        const transports: string[] = [];
        for (const client of await fourth.clients()) transports.push(client.address.split(":", 1)[0]!);
        assert.equal(transports.sort(), ["tls", "tls", "tls", "ux"]);
        for (const session of [first, again, other, fourth]) session.close();
      },
      { env },
    );
  });

  test("each refusal is one line of the log: the peer's address and the reason", async () => {
    await withPafd(
      ["tls:127.0.0.1:0"],
      async (pafd) => {
        const address = await boundAddress(pafd, "tls:127.0.0.1:0");
        const port = Number(address.slice(address.lastIndexOf(":") + 1));
        // After a first stream, with which libuv opens a descriptor of its own.
        const session = await Session.connect(address, { clientId: 1n, tls: peer("first") });
        const withOne = openDescriptors(pafd.pid);
        const line = (reason: string) =>
          new RegExp(`^WARNING:.*Refused: tls:127\\.0\\.0\\.1:\\d+: .*${reason}.*\\.$`, "m");
        for (const [identity, reason] of [
          [root.issue("old", EXPIRED), "it has expired \\(CERT_HAS_EXPIRED; subject CN=old\\)"],
          [selfSigned("self"), "it is self-signed and not trusted"],
          [undefined, "the peer has presented no certificate"],
        ] as const) {
          const client = new OpensslClient(address, identity);
          client.send('{"ta-cmd":"ping","ta-id":1,"msg-type":"request"}');
          await client.ends();
          await pafd.says(line(reason));
          assert.is(client.received.length, 0);
        }
        const plain = connectRaw(port, "127.0.0.1", () => plain.write("GET / HTTP/1.0\r\n\r\n"));
        plain.on("error", () => {}).resume();
        await pafd.says(line("the peer does not speak TLS"));
        assert.is(pafd.log.split("Refused: ").length - 1, 4);
        session.close();
        await eventually(
          () => openDescriptors(pafd.pid),
          (count) => count < withOne,
          "descriptors of refused peers",
        );
      },
      { env },
    );
  });

  test("a peer that never begins its handshake is dropped in time; the others are served meanwhile", async () => {
    await withPafd(
      ["tls:127.0.0.1:0"],
      async (pafd) => {
        const address = await boundAddress(pafd, "tls:127.0.0.1:0");
        const port = Number(address.slice(address.lastIndexOf(":") + 1));
        const silent = Array.from({ length: 50 }, () =>
          connectRaw(port, "127.0.0.1")
            .on("error", () => {})
            .resume(),
        );
        const ends = silent.map((socket) => new Promise((resolve) => socket.once("close", resolve)));
        const session = await Session.connect(address, { clientId: 1n, tls: peer("client") });
        await session.ping();
        await Promise.all(ends);
        await session.ping();
        session.close();
      },
      { env },
    );
  });

  test("a server that ends says goodbye to its clients", async () => {
    await withPafd(
      ["tls:127.0.0.1:0"],
      async (pafd) => {
        const client = new OpensslClient(await boundAddress(pafd, "tls:127.0.0.1:0"), root.issue("client"));
        client.send(
          '{"ta-cmd":"hello","ta-id":1,"msg-type":"request","client-id":1,"protocol-minimum-version":2,"protocol-maximum-version":3}',
        );
        await client.until(() => client.received.length > 0, "the answer to hello");
        await pafd.stop();
        await client.ends();
        assert.not.match(client.said, /unexpected eof|errno/);
      },
      { env },
    );
  });

  test("without certificates the server does not start, and says which file is missing", async () => {
    const { status, stderr } = runPafd(["-s", "-n", "tls:127.0.0.1:0"], { env: { XCM_TLS_CERT: "/nowhere" } });
    assert.is(status, 1);
    assert.match(stderr, /^ERROR:.*certificate file "\/nowhere\/cert\.pem": it does not exist \(ENOENT\)/m);
    assert.is(
      (await rejection(Session.connect("tls:127.0.0.1:1", { clientId: 1n, tls: { cert: "/nowhere" } }))).code,
      "EPROTO",
    );
  });
}

if (missing) console.log(`skipped: pafd over tls: ${missing}`);
else withCertificates();
test.run();
