/** The real server against peers that share no code with it: raw sockets of Python, over ux, uxf and tcp. */

import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import {
  boundAddress,
  Client,
  eventually,
  openDescriptors,
  residentMiB,
  startPafd,
  withFolder,
} from "../support/pafd.js";
import { endSoon, freshName, PythonPeer, pythonMissing } from "../support/transport-peers.js";

const test = suite("pafd and raw peers");
test.after(endSoon);

/** In Python: `dial(ADDRESS)` gives a peer with say/hear in JSON. */
const PEER = `
import json
class Peer:
    def __init__(self, address):
        kind, rest = address.split(":", 1)
        self.framed = kind == "tcp"
        if self.framed:
            host, port = rest.rsplit(":", 1)
            self.socket = socket.create_connection((host.strip("[]"), int(port)), timeout=20)
        else:
            self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            self.socket.settimeout(20)
            self.socket.connect("\\0" + rest if kind == "ux" else rest)
    def raw(self, data): self.socket.sendall(struct.pack(">I", len(data)) + data if self.framed else data)
    def ask(self, cmd, id, type="request", **fields):
        self.raw(json.dumps({"ta-cmd": cmd, "ta-id": id, "msg-type": type, **{k.replace("_", "-"): v for k, v in fields.items()}}).encode())
    def exactly(self, n):
        data = b""
        while len(data) < n:
            part = self.socket.recv(n - len(data))
            if not part: raise EOFError
            data += part
        return data
    def hear(self):
        if self.framed: return json.loads(self.exactly(struct.unpack(">I", self.exactly(4))[0]))
        data = self.socket.recv(65535)
        if not data: raise EOFError
        return json.loads(data)
    def hello(self, id):
        self.ask("hello", 0, client_id=id, protocol_minimum_version=2, protocol_maximum_version=3)
        return self.hear()
    def ended(self):
        try:
            while True: self.hear()
        except (EOFError, ConnectionResetError): return True
`;

interface Server {
  readonly pafd: Awaited<ReturnType<typeof startPafd>>;
  readonly addresses: readonly string[];
  readonly ux: string;
  readonly tcp: string;
}

/** A domain on all three transports. */
async function withServer(body: (server: Server) => Promise<void>): Promise<void> {
  await withFolder(async (folder) => {
    const ux = `ux:${freshName()}`;
    const uxf = `uxf:${join(folder, "socket")}`;
    const pafd = await startPafd(["-m", `${ux}+${uxf}+tcp:127.0.0.1:0+tcp:[::1]:0`]);
    try {
      const tcp = await boundAddress(pafd, "tcp:127.0.0.1:0");
      const tcp6 = await boundAddress(pafd, "tcp:[::1]:0");
      await body({ pafd, addresses: [ux, uxf, tcp, tcp6], ux, tcp });
      assert.is(pafd.exit, undefined, pafd.log.slice(-2000));
    } finally {
      await pafd.kill();
    }
  });
}

/** Runs a Python script to its last word, which must be "done". */
async function python(script: string, ...args: string[]): Promise<void> {
  const peer = new PythonPeer(PEER + script, ...args);
  try {
    assert.equal(await peer.says(), ["done"]);
  } finally {
    await peer.kill();
  }
}

const missing = pythonMissing();
if (missing) {
  console.log(`skipped all tests with raw peers: ${missing}`);
  test.skip("raw peers");
} else {
  test("a conversation over each transport: hello, subscribe, publish, listings, track, unsubscribe, unpublish", () =>
    withServer(({ addresses }) =>
      python(
        `
big = 9007199254740993
def notify(p, cmd, id, **fields):
    m = p.hear()
    expected = {"ta-cmd": cmd, "ta-id": id, "msg-type": "notify", **{k.replace("_", "-"): v for k, v in fields.items()}}
    for k, v in expected.items(): assert m.get(k) == v, (m, k, v)
    return m
for n, address in enumerate(sys.argv[1:]):
    p = Peer(address)
    me = 2**63 - 1 - n
    assert p.hello(me) == {"ta-cmd": "hello", "ta-id": 0, "msg-type": "complete", "protocol-version": 3}
    p.ask("subscribe", 1, subscription_id=n, filter="(&(name=x*)(v>-5))")
    assert p.hear() == {"ta-cmd": "subscribe", "ta-id": 1, "msg-type": "accept"}
    props = {"name": ["xyz", "r\\u00e4v \\U0001f98a"], "v": [-9223372036854775808, 42]}
    p.ask("publish", 2, service_id=big, generation=1, service_props=props, ttl=2**63 - 1)
    m = notify(p, "subscribe", 1, match_type="appeared", service_id=big, generation=1, ttl=2**63 - 1, client_id=me)
    assert {k: sorted(map(repr, v)) for k, v in m["service-props"].items()} == {k: sorted(map(repr, v)) for k, v in props.items()}, m
    assert p.hear() == {"ta-cmd": "publish", "ta-id": 2, "msg-type": "complete"}
    p.ask("services", 3); assert p.hear()["msg-type"] == "accept"
    notify(p, "services", 3, service_id=big); assert p.hear()["msg-type"] == "complete"
    p.ask("subscriptions", 4); assert p.hear()["msg-type"] == "accept"
    notify(p, "subscriptions", 4, subscription_id=n, client_id=me); assert p.hear()["msg-type"] == "complete"
    p.ask("clients", 5); assert p.hear()["msg-type"] == "accept"
    m = notify(p, "clients", 5, client_id=me, protocol_version=3)
    kind = address.split(":")[0]
    if kind == "tcp":
        host, port = p.socket.getsockname()[:2]
        assert m["client-address"] == "tcp:" + ("[%s]" if ":" in host else "%s") % host + ":%d" % port, m
    else: assert m["client-address"] == kind + ":", m
    assert p.hear()["msg-type"] == "complete"
    p.ask("track", 6); assert p.hear()["msg-type"] == "accept"
    p.ask("track", 6, "inform", track_type="query"); notify(p, "track", 6, track_type="reply")
    p.ask("unsubscribe", 7, subscription_id=n)
    assert p.hear() == {"ta-cmd": "subscribe", "ta-id": 1, "msg-type": "complete"}
    assert p.hear() == {"ta-cmd": "unsubscribe", "ta-id": 7, "msg-type": "complete"}
    p.ask("unpublish", 8, service_id=big); assert p.hear()["msg-type"] == "complete"
    p.ask("ping", 9); assert p.hear() == {"ta-cmd": "ping", "ta-id": 9, "msg-type": "complete"}
    p.raw(b"oops"); assert p.ended()
say("done")
`,
        ...addresses,
      ),
    ));

  test("garbage, oversized and empty frames and partial frames on TCP end that connection only", () =>
    withServer(async ({ pafd, tcp }) => {
      // On TCP, because with the first of these connections libuv opens a descriptor of its own, for good.
      const witness = await Client.connect(tcp, 1);
      await witness.ask("ping", 1);
      const descriptors = openDescriptors(pafd.pid);
      await python(
        `
import os
for data in [b"GET / HTTP/1.1\\r\\n\\r\\n", b"\\0" * 64, b"\\xff" * 64, os.urandom(4096), struct.pack(">I", 0),
             struct.pack(">I", 262145), struct.pack(">I", 65536) + b"x" * 65536, struct.pack(">I", 4) + b"oops"]:
    p = Peer(sys.argv[1]); p.socket.sendall(data); assert p.ended(), data
for cut in range(1, 60, 7):
    p = Peer(sys.argv[1]); p.hello(100 + cut)
    p.socket.sendall((struct.pack(">I", 200) + b'{"ta-cmd": "ping"' + b" " * 100)[:cut]); p.socket.close()
p = Peer(sys.argv[1]); p.hello(7)
ping = json.dumps({"ta-cmd": "ping", "ta-id": 1, "msg-type": "request"}).encode()
for byte in struct.pack(">I", len(ping)) + ping: p.socket.sendall(bytes([byte]))
assert p.hear()["msg-type"] == "complete", "one byte at a time"
say("done")
`,
        tcp,
      );
      await eventually(
        () => openDescriptors(pafd.pid),
        (n) => n === descriptors,
        "descriptors after garbage",
      );
      assert.match(await witness.ask("ping", 2), /complete/);
      assert.not.match(pafd.log, /ERROR/);
      witness.connection.close();
    }));

  test("a client killed in the middle of a frame: its services become orphans at once", () =>
    withServer(async ({ ux, tcp }) => {
      const witness = await Client.connect(ux, 1);
      witness.request("subscribe", 1, { "subscription-id": 1 });
      const victim = new PythonPeer(
        `${PEER}
p = Peer(sys.argv[1]); p.hello(2)
p.ask("publish", 1, service_id=7, generation=0, service_props={}, ttl=60); p.hear()
p.socket.sendall(struct.pack(">I", 1000) + b'{"ta-cmd": "publ')
say("done"); wait()
`,
        tcp,
      );
      assert.equal(await victim.says(), ["done"]);
      await witness.receives(3);
      await victim.kill();
      await witness.receives(4);
      assert.match(witness.messages[3], /"match-type":"modified","service-id":7,.*"orphan-since":\d+\.\d+}/);
      witness.connection.close();
    }));

  test("a process with 1,000 connections is killed: all descriptors come back, all its services become orphans", () =>
    withServer(async ({ pafd, ux, tcp }) => {
      const witness = await Client.connect(tcp, 1, 2); // see above
      const descriptors = openDescriptors(pafd.pid);
      for (let round = 0; round < 2; round++) {
        const victim = new PythonPeer(
          `${PEER}
import resource
resource.setrlimit(resource.RLIMIT_NOFILE, (4096, 4096))
peers = []
for i in range(1000):
    p = Peer(sys.argv[1 + i % 2]); p.hello(1000 + i); peers.append(p)
    p.ask("publish", 1, service_id=1000 + i, generation=int(sys.argv[3]), service_props={}, ttl=60); p.hear()
say("done"); wait()
`,
          ux,
          tcp,
          String(round),
        );
        try {
          assert.equal(await victim.says(), ["done"]);
          assert.is(openDescriptors(pafd.pid), descriptors + 1000);
        } finally {
          await victim.kill();
        }
        await eventually(
          () => openDescriptors(pafd.pid),
          (n) => n === descriptors,
          "descriptors after the kill",
        );
        witness.messages.length = 0;
        await witness.ask("services", 1);
        assert.is(witness.messages.filter((text) => text.includes('"orphan-since":')).length, 1000);
      }
      witness.connection.close();
    }));

  test("who connects and says nothing is gone after 2 to 3 s", () =>
    withServer(({ addresses }) =>
      python(
        `
import time
peers = [(time.monotonic(), Peer(a)) for a in sys.argv[1:]]
for began, p in peers:
    assert p.ended()
    lived = time.monotonic() - began
    assert 1.9 < lived < 4, lived
say("done")
`,
        ...addresses,
      ),
    ));

  test("who stops reading while 20,000 notifications are made for it gets them all later, in order, and holds up nobody", () =>
    withServer(async ({ pafd, addresses, ux }) => {
      const publisher = await Client.connect(ux, 1);
      for (const address of addresses) {
        const reader = new PythonPeer(
          `${PEER}
p = Peer(sys.argv[1]); p.hello(int(sys.argv[2]))
p.ask("subscribe", 1, subscription_id=1); p.hear()
say("ready"); wait()
p.socket.settimeout(60)
last = None
for i in range(20000):
    m = p.hear()
    assert m["match-type"] == ("appeared" if last is None else "modified"), m
    assert last is None or m["generation"] == last + 1, m
    last = m["generation"]
p.ask("ping", 2); assert p.hear()["ta-cmd"] == "ping"
say("done")
`,
          address,
          String(100 + addresses.indexOf(address)),
        );
        try {
          assert.equal(await reader.says(), ["ready"]);
          const before = residentMiB(pafd.pid);
          const service = (generation: number) => ({
            "service-id": 7,
            generation,
            "service-props": { a: [1] },
            ttl: 60,
          });
          publisher.messages.length = 0;
          for (let from = 0; from < 20_000; from += 100) {
            for (let i = from; i < from + 100; i++) publisher.request("publish", 10 + i, service(i));
            await publisher.receives(from + 100); // it is answered although the other one does not read
          }
          assert.ok(publisher.messages.every((text) => text.includes('"complete"')));
          const grown = residentMiB(pafd.pid) - before;
          assert.ok(grown < 40, `${grown.toFixed(1)} MiB for 20,000 waiting notifications`);
          reader.tell();
          await reader.until(() => reader.lines.length > 0, "the reader's last word");
          assert.equal(await reader.says(), ["done"]);
        } finally {
          await reader.kill();
        }
        assert.match(await publisher.ask("unpublish", 5, { "service-id": 7 }), /complete/);
      }
      publisher.connection.close();
    }));
}

test.run();
