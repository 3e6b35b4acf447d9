import { closeSync, openSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import {
  dial,
  echo,
  endSoon,
  freshName,
  PythonPeer,
  pythonMissing,
  type Recorder,
  type Server,
  send,
  serve,
  uncaught,
} from "../support/transport-peers.js";

/* What holds for accepting whatever the listening socket. */
const test = suite("accepting");
test.after(endSoon);

const missing = pythonMissing();
const withPython = missing === undefined ? test : test.skip;
if (missing) console.log(`skipped: descriptor limits: ${missing}`);

/** Connects one client after the other; each says hello to whoever accepts it. */
async function visitors(server: Server, count: number): Promise<Recorder[]> {
  const clients: Recorder[] = [];
  for (let i = 0; i < count; i++) {
    const client = await dial(server.address);
    clients.push(client);
    send(client, `hello ${i}`);
  }
  return clients;
}

for (const [transport, freshAddress] of [
  ["ux", () => `ux:${freshName()}`],
  ["tcp", () => "tcp:127.0.0.1:0"],
  ["tcp over IPv6", () => "tcp:[::1]:0"],
] as const) {
  test(`${transport}: while accepting is paused clients connect and wait; then all are served, in order`, async () => {
    const server = await serve(freshAddress(), echo);
    server.listener.pauseAccepting();
    server.listener.pauseAccepting();
    const clients = await visitors(server, 200);
    assert.is(server.accepted.length, 0);
    server.listener.resumeAccepting();
    await Promise.all(clients.map((client) => client.receives(1)));
    assert.equal(
      server.accepted.map(({ connection }) => connection.remoteAddress),
      clients.map(({ connection }) => connection.localAddress),
    );
    clients.forEach((client, i) => {
      assert.equal([client.messages, client.closes], [[`hello ${i}`], 0]);
      client.connection.close();
    });
    server.close();
  });

  test(`${transport}: an owner that pauses on a new connection gets no other before it resumes`, async () => {
    const server = await serve(freshAddress(), echo);
    server.onAccept = () => server.listener.pauseAccepting();
    const clients = await visitors(server, 20);
    clients[7]!.connection.close(); // one that gives up while it waits
    for (let i = 0; i < clients.length; i++) {
      await (i === 7 ? server.connections(i + 1) : clients[i]!.receives(1));
      assert.is(server.accepted.length, i + 1);
      server.listener.resumeAccepting();
    }
    await server.accepted[7]!.ends();
    for (const client of clients) client.connection.close();
    server.close();
  });

  test(`${transport}: pausing and resuming within an owner that throws loses that connection only`, async () => {
    const errors = await uncaught(async () => {
      const server = await serve(freshAddress(), echo);
      server.listener.pauseAccepting();
      const clients = await visitors(server, 5);
      server.onAccept = () => {
        if (server.accepted.length !== 2) return;
        server.listener.pauseAccepting();
        server.listener.resumeAccepting();
        throw new Error("planned");
      };
      server.listener.resumeAccepting();
      await Promise.all(clients.map((client, i) => (i === 1 ? client.ends() : client.receives(1))));
      for (const client of clients) client.connection.close();
      server.close();
    });
    assert.is(errors.length, 1);
  });

  test(`${transport}: 500 clients at once are all served`, async () => {
    const server = await serve(freshAddress(), echo);
    const clients = await Promise.all(Array.from({ length: 500 }, () => dial(server.address)));
    for (const [i, client] of clients.entries()) send(client, `hello ${i}`);
    await Promise.all(clients.map((client) => client.receives(1)));
    assert.equal(
      clients.map((client) => client.messages),
      clients.map((_, i) => [`hello ${i}`]),
    );
    server.close();
    await Promise.all(clients.map((client) => client.ends()));
  });

  test(`${transport}: a listener that closes ends those who wait, also from within a new connection's owner`, async () => {
    for (const within of [false, true]) {
      const server = await serve(freshAddress(), echo);
      server.listener.pauseAccepting();
      const clients = await visitors(server, 10);
      server.onAccept = () => server.listener.close();
      if (within) server.listener.resumeAccepting();
      else server.listener.close();
      await Promise.all(clients.slice(within ? 1 : 0).map((client) => client.ends()));
      assert.is(server.accepted.length, within ? 1 : 0);
      server.listener.resumeAccepting();
      server.listener.pauseAccepting();
      if (within) await clients[0]!.receives(1); // connections that were accepted stay
      server.close();
      for (const client of clients) client.connection.close();
    }
  });

  withPython(
    `${transport}: with no descriptor left, clients wait, the owner hears of it once, others go on`,
    async () => {
      const server = await serve(freshAddress(), echo);
      const [early] = await visitors(server, 1);
      await early!.receives(1);
      const limiter = new PythonPeer(`import resource
parent, old = os.getppid(), resource.getrlimit(resource.RLIMIT_NOFILE)
for soft in (200, old[0]):
    wait(); resource.prlimit(parent, resource.RLIMIT_NOFILE, (soft, old[1])); say("done")
wait()`);
      server.listener.pauseAccepting();
      const clients = await visitors(server, 30);
      limiter.tell();
      await limiter.says();
      const files: number[] = [];
      try {
        for (;;) files.push(openSync("/dev/null", "r"));
      } catch (error) {
        assert.is((error as NodeJS.ErrnoException).code, "EMFILE");
      }
      server.listener.resumeAccepting();
      await server.until(() => server.acceptErrors.length > 0, "an error");
      assert.is(server.accepted.length, 1);
      assert.match(server.acceptErrors[0]!.message, /: accept: too many open files in this process \(EMFILE\)$/);
      send(early!, "still here");
      await early!.receives(2);
      for (const file of files.splice(0, 10)) closeSync(file);
      await server.connections(11);
      await server.until(() => server.acceptErrors.length === 2, "an error after the last one that fitted");
      assert.equal([server.accepted.length, clients.filter(({ closes }) => closes > 0).length], [11, 0]);
      for (const file of files) closeSync(file);
      limiter.tell();
      await limiter.says();
      await Promise.all(clients.map((client) => client.receives(1)));
      assert.is(server.acceptErrors.length, 2);
      await limiter.kill();
      for (const client of [early!, ...clients]) client.connection.close();
      server.close();
    },
  );
}

test.run();
