import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { dial, endSoon, rejection, send, serve } from "../support/transport-peers.js";

const test = suite("without the addon");
test.after(endSoon);
process.env.PATHFINDER_EDGE_ADDON = "/nonexistent/pathfinder-edge.node";

test("connecting to tcp works in full", async () => {
  const server = createServer((socket) => socket.pipe(socket)).listen(0, "127.0.0.1");
  await once(server, "listening");
  const client = await dial(`tcp:127.0.0.1:${(server.address() as AddressInfo).port}`);
  const texts = ["a", "b".repeat(65_535)];
  for (const text of texts) send(client, text);
  await client.receives(2);
  assert.equal(client.messages, texts);
  client.connection.setKeepalive(false);
  client.connection.setKeepalive(true);
  server.close();
  client.connection.close();
  await client.ends();
});

test("ux, uxf and listening say which file is missing and what to do", async () => {
  for (const [action, address] of [
    [serve, "ux:name"],
    [dial, "ux:name"],
    [serve, "uxf:/tmp/path"],
    [dial, "uxf:/tmp/path"],
    [serve, "tcp:127.0.0.1:0"],
  ] as const) {
    const error = await rejection(action(address));
    assert.is(error.code, "ENOPROTOOPT");
    assert.match(error.message, "/nonexistent/pathfinder-edge.node");
    assert.match(error.message, "npm run build");
  }
});

test.run();
