import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { TransportError } from "../../src/transport/index.js";
import { dial, echo, endSoon, send, serve } from "../support/transport-peers.js";

const test = suite("without the addon");
test.after(endSoon);
process.env.PATHFINDER_EDGE_ADDON = "/nonexistent/pathfinder-edge.node";

test("tcp works in full", async () => {
  const server = await serve("tcp:127.0.0.1:0", echo);
  const client = await dial(server.address);
  for (const text of ["a", "b".repeat(65_535)]) send(client, text);
  await client.receives(2);
  client.connection.setKeepalive(false);
  client.connection.setKeepalive(true);
  client.connection.close();
  await server.accepted[0]!.ends();
  server.close();
});

test("ux and uxf say which file is missing and what to do", async () => {
  for (const address of ["ux:name", "uxf:/tmp/path"]) {
    for (const action of [serve, dial]) {
      const error = await action(address).then(
        () => assert.unreachable("it worked"),
        (reason: TransportError) => reason,
      );
      assert.is((error as TransportError).code, "ENOPROTOOPT");
      assert.match((error as TransportError).message, "/nonexistent/pathfinder-edge.node");
      assert.match((error as TransportError).message, "npm run build");
    }
  }
});

test.run();
