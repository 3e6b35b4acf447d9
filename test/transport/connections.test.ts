import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Authority, opensslMissing, tlsDirectory } from "../support/certificates.js";
import { dial, endSoon, freshName, outbox, type Recorder, send, serve, uncaught } from "../support/transport-peers.js";

/* What holds for a connection whatever the socket below it. */
const test = suite("connections");
test.after(endSoon);

/** Sends all of `texts` in one turn, so that they arrive in one batch. */
function sendTogether(to: Recorder, texts: readonly string[]): void {
  outbox.enter();
  for (const text of texts) send(to, text);
  outbox.leave();
}

const counted = (count: number) => Array.from({ length: count }, (_, i) => String(i));

async function severalTurns(): Promise<void> {
  for (let i = 0; i < 3; i++) await new Promise(setImmediate);
}

const missing = opensslMissing();
if (missing) console.log(`skipped: connections over tls: ${missing}`);
else {
  const authority = new Authority("root");
  process.env.XCM_TLS_CERT = tlsDirectory("default", authority.issue("everybody"), authority.cert);
}
const withTls = missing ? [] : ([["tls", () => "tls:127.0.0.1:0"]] as const);

for (const [transport, freshAddress] of [
  ["ux", () => `ux:${freshName()}`],
  ["uxf", () => `uxf:${join(tmpdir(), freshName())}`],
  ["tcp", () => "tcp:127.0.0.1:0"],
  ...withTls,
] as const) {
  test(`${transport}: a pause takes effect in the middle of a batch; the rest and the end come after resuming`, async () => {
    const server = await serve(freshAddress(), (text, recorder) => {
      if (Number(text) % 5 === 4) recorder.connection.pauseReading();
    });
    const client = await dial(server.address);
    sendTogether(client, counted(20));
    client.connection.close(); // its end is behind the last message
    await server.connections(1);
    const peer = server.accepted[0]!;
    for (const count of [5, 10, 15]) {
      await peer.receives(count);
      await severalTurns();
      assert.equal([peer.messages.length, peer.closes], [count, 0], "nothing comes while paused");
      peer.connection.resumeReading();
      assert.is(peer.messages.length, count, "nothing comes from within resumeReading()");
    }
    await peer.receives(20);
    peer.connection.resumeReading();
    await peer.ends();
    assert.equal(peer.messages, counted(20));
    assert.is(peer.error, undefined);
    server.close();
  });

  test(`${transport}: pausing and resuming at once in a handler changes nothing`, async () => {
    const server = await serve(freshAddress(), (_, recorder) => {
      recorder.connection.pauseReading();
      recorder.connection.resumeReading();
    });
    const client = await dial(server.address);
    sendTogether(client, counted(50));
    await server.connections(1);
    await server.accepted[0]!.receives(50);
    assert.equal(server.accepted[0]!.messages, counted(50));
    client.connection.close();
    server.close();
  });

  test(`${transport}: closing in the middle of a batch ends delivery at once, and onClose comes once`, async () => {
    const server = await serve(freshAddress(), (text, recorder) => {
      if (text !== "2") return;
      recorder.connection.close();
      recorder.connection.pauseReading();
      recorder.connection.resumeReading();
      assert.is(recorder.closes, 0, "not from within close()");
    });
    const client = await dial(server.address);
    sendTogether(client, counted(10));
    await client.ends();
    await severalTurns();
    assert.equal([server.accepted[0]!.messages.length, server.accepted[0]!.closes], [3, 1]);
    server.close();
  });

  test(`${transport}: a handler that throws is an uncaughtException, and no message of anybody is lost`, async () => {
    const errors = await uncaught(async () => {
      const server = await serve(freshAddress(), (text, recorder) => {
        if (text === "throw") throw new Error("planned");
        send(recorder, text);
      });
      const [first, second] = [await dial(server.address), await dial(server.address)];
      sendTogether(first, ["a", "throw", "b", "throw", "c"]);
      sendTogether(second, ["d", "e"]);
      await Promise.all([first.receives(3), second.receives(2)]);
      assert.equal(
        [first.messages, second.messages],
        [
          ["a", "b", "c"],
          ["d", "e"],
        ],
      );
      send(first, "f");
      await first.receives(4);
      first.connection.close();
      second.connection.close();
      server.close();
    });
    assert.equal(
      errors.map((error) => (error as Error).message),
      ["planned", "planned"],
    );
  });

  test(`${transport}: what a slow reader does not take waits, comes in order, and is reported as drained`, async () => {
    const server = await serve(freshAddress());
    const client = await dial(server.address);
    await server.connections(1);
    const peer = server.accepted[0]!;
    client.connection.pauseReading();
    const texts = Array.from({ length: 600 }, (_, i) => `${i}:`.padEnd(1 + ((i * 7_919) % 60_000), "x"));
    for (let i = 0; i < texts.length; i += 20) sendTogether(peer, texts.slice(i, i + 20));
    const { queuedMessages, queuedBytes } = peer.connection;
    // TLS hands records to the kernel a turn later, so none has been taken yet.
    const most = transport === "tls" ? 600 : 599;
    assert.ok(queuedMessages > 100 && queuedMessages <= most, `${queuedMessages} are queued`);
    assert.ok(queuedBytes > 1_000_000, `${queuedBytes} bytes are queued`);
    await severalTurns();
    assert.is(peer.drains, 0);
    client.connection.resumeReading();
    await Promise.all([client.receives(texts.length), peer.until(() => peer.drains > 0, "drained")]);
    assert.equal(client.messages, texts);
    assert.equal([peer.drains, peer.connection.queuedMessages, peer.connection.queuedBytes], [1, 0, 0]);
    server.close();
    await client.ends();
  });

  test(`${transport}: an owner that throws on a new connection loses that one only`, async () => {
    const errors = await uncaught(async () => {
      const server = await serve(freshAddress(), (text, recorder) => send(recorder, text));
      let thrown = false;
      server.onAccept = () => {
        if (thrown) return;
        thrown = true;
        throw new Error("planned");
      };
      const dials = await Promise.allSettled([dial(server.address), dial(server.address), dial(server.address)]);
      const clients = dials.flatMap((outcome) => (outcome.status === "fulfilled" ? [outcome.value] : []));
      // With TLS it shows before there is a connection.
      if (transport === "tls") assert.is(clients.length, 2);
      else await Promise.race(clients.map((client) => client.ends()));
      for (const client of clients.filter(({ closes }) => closes === 0)) {
        send(client, "hello");
        await client.receives(1);
        client.connection.close();
      }
      assert.is(server.accepted.length, 3);
      server.close();
    });
    assert.is(errors.length, 1);
  });

  test(`${transport}: under random pauses, every message arrives once and in order, both ways`, async () => {
    let seed = 11;
    const random = (n: number) => (seed = (seed * 48_271) % 2_147_483_647) % n;
    const restless = (_: string, recorder: Recorder) => {
      if (random(7) !== 0) return;
      recorder.connection.pauseReading();
      if (random(3) === 0) recorder.connection.resumeReading();
      else setImmediate(() => recorder.connection.resumeReading());
    };
    const server = await serve(freshAddress(), restless);
    const client = await dial(server.address);
    client.onText = restless;
    await server.connections(1);
    const peer = server.accepted[0]!;
    const sent = new Map<Recorder, string[]>([
      [client, []],
      [peer, []],
    ]);
    for (let i = 0; i < 200; i++) {
      outbox.enter();
      for (let n = random(40); n > 0; n--) {
        const from = random(2) === 0 ? client : peer;
        const text = `${i}.${n}`.padEnd(1 + random(random(20) === 0 ? 65_535 : 300), "x");
        sent.get(from)!.push(text);
        send(from, text);
      }
      outbox.leave();
      if (random(3) === 0) await new Promise(setImmediate);
    }
    await Promise.all([peer.receives(sent.get(client)!.length), client.receives(sent.get(peer)!.length)]);
    assert.equal([peer.messages, client.messages], [sent.get(client), sent.get(peer)]);
    client.connection.close();
    server.close();
  });
}

test.run();
