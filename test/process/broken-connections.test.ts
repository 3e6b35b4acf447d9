/**
 * Clients that end at any byte, in both directions: killed (SIGKILL) and reset (RST), in every phase of the protocol. The
 * server loses that connection and nothing else.
 */

import { suite } from "uvu";
import * as assert from "uvu/assert";
import { boundAddress, Client, eventually, openDescriptors, startPafd } from "../support/pafd.js";
import { endSoon, freshName, PythonPeer, pythonMissing } from "../support/transport-peers.js";

const test = suite("connections that break");
test.after(endSoon);

/**
 * A child per case, all of the same process: `spawn(case)` forks, runs `case` in the child, which then kills itself.
 * `frames` is a whole conversation in bytes.
 */
const VICTIM = `
import json, signal
host, port = sys.argv[1].split(":")[1:]
frame = lambda text: struct.pack(">I", len(text)) + text.encode()
def message(cmd, id, **fields):
    return frame(json.dumps({"ta-cmd": cmd, "ta-id": id, "msg-type": "request", **{k.replace("_", "-"): v for k, v in fields.items()}}))
def conversation(id):
    return [message("hello", 0, client_id=id, protocol_minimum_version=2, protocol_maximum_version=3),
            message("track", 1),
            message("subscribe", 2, subscription_id=id),
            message("publish", 3, service_id=id, generation=0, service_props={"name": ["x"]}, ttl=0),
            message("services", 4), message("clients", 5), message("unsubscribe", 6, subscription_id=id)]
def dial():
    s = socket.create_connection((host, int(port)), timeout=20)
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return s
def exactly(s, n):
    data = b""
    while len(data) < n:
        part = s.recv(n - len(data))
        if not part: raise EOFError
        data += part
    return data
def hear(s): return json.loads(exactly(s, struct.unpack(">I", exactly(s, 4))[0]))
def reset(s):
    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    s.close()
def spawn(case):
    pid = os.fork()
    if pid == 0:
        try: case()
        except BaseException as error: print("child:", repr(error), flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(pid, 0)
`;

async function withVictims(script: string): Promise<void> {
  const ux = `ux:${freshName()}`;
  const pafd = await startPafd(["-m", `${ux}+tcp:127.0.0.1:0`]);
  const witness = await Client.connect(ux, 1, 2);
  try {
    const tcp = await boundAddress(pafd, "tcp:127.0.0.1:0");
    // The first TCP connection may cost descriptors that stay.
    const first = await Client.connect(tcp, 2);
    first.connection.close();
    await pafd.says(/<0x2> Disconnected/);
    const descriptors = openDescriptors(pafd.pid);
    const victims = new PythonPeer(VICTIM + script, tcp);
    try {
      let taId = 1;
      for (let said = ""; said !== "done"; ) {
        [said] = (await victims.says()) as [string];
        assert.not.match(said, /child/);
        // As many times as the victims say so, while they are at it.
        assert.match(await witness.ask("ping", ++taId), /"complete"/);
      }
    } finally {
      await victims.kill();
    }
    await eventually(
      () => openDescriptors(pafd.pid),
      (n) => n === descriptors,
      "descriptors of the server",
    );
    for (const [command, listed] of [
      ["clients", 1],
      ["subscriptions", 0],
      ["services", 0],
    ] as const) {
      witness.messages.length = 0;
      assert.match(await witness.ask(command, 1), /"complete"/);
      assert.is(witness.messages.length, 2 + listed, `${command}: ${witness.messages}`);
    }
    assert.not.match(pafd.log, /ERROR|Internal error/);
    witness.connection.close();
    assert.equal(await pafd.stop(), { code: 0, signal: null });
  } finally {
    await pafd.kill();
  }
}

const missing = pythonMissing();
if (missing) {
  console.log(`skipped all tests with raw peers: ${missing}`);
  test.skip("broken connections");
} else {
  test("killed after every number of bytes sent", () =>
    withVictims(`
total = len(b"".join(conversation(1000)))
for n in range(total + 1):
    spawn(lambda: dial().sendall(b"".join(conversation(1000 + n))[:n]))
    if n % 50 == 0: say(str(n))
say("done")
`));

  test("killed after any number of bytes received", () =>
    withVictims(`
data = b"".join(conversation(3))
s = dial(); s.sendall(data)
total = 0
while True:
    s.settimeout(0.5)
    try: total += len(s.recv(65536))
    except socket.timeout: break
reset(s)
def case(n):
    s = dial(); s.sendall(b"".join(conversation(5000 + n)))
    exactly(s, n)
for n in range(0, total, 1 + total // 600):
    spawn(lambda: case(n))
    say(str(n))
say("done")
`));

  test("reset at every step of a conversation, read or unread, with half a message behind it or not", () =>
    withVictims(`
id = 10000
for steps in range(8):
    for read in (False, True):
        for half in (0, 1, 4, 5, 40):
            id += 1
            parts = conversation(id)
            s = dial()
            for part in parts[:steps]:
                s.sendall(part)
                if read: hear(s)
            if half: s.sendall((parts + [message("ping", 9)])[steps][:half])
            reset(s)
    say(str(steps))
say("done")
`));

  test("reset while a list or notifications are being sent, and who publishes goes on", () =>
    withVictims(`
p = dial(); p.sendall(conversation(3)[0]); assert hear(p)["msg-type"] == "complete"
for i in range(2000): p.sendall(message("publish", i, service_id=1000 + i, generation=0, service_props={"name": ["x" * 300]}, ttl=0)); hear(p)
for round in range(20):
    readers = []
    for i in range(4):
        s = dial(); s.sendall(b"".join(conversation(100 + 10 * round + i)[:3]) + message("services", 9)); readers.append(s)
    for i in range(20):
        p.sendall(message("publish", 1, service_id=1000 + i, generation=round + 1, service_props={"name": ["y" * 300]}, ttl=0))
        assert hear(p)["msg-type"] == "complete"
    for s in readers: exactly(s, 1 + 977 * round); reset(s)
    say(str(round))
for i in range(2000): p.sendall(message("unpublish", i, service_id=1000 + i)); assert hear(p)["msg-type"] == "complete"
p.close()
say("done")
`));
}

test.run();
