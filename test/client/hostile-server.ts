/**
 * A server that breaks whatever a server can break: a process of its own, over TCP, so that it can send as fast as the
 * socket takes it and shares nothing with the client that is tested.
 */

import { type ChildProcess, spawn } from "node:child_process";
import { Watch } from "../support/transport-peers.js";

/** Each answers one request; `say` sends a message, `flood` as many as the socket takes, for ever. */
const BEHAVIOURS = {
  "endless services": `if (subscribe) { accept(); flood(() => appeared(n++, {}, HUGE)); } else polite();`,
  "endless properties": `if (subscribe) { accept(); flood(() => appeared(n++, { text: ["x".repeat(60000)] }, HUGE)); } else polite();`,
  "services that come and go": `if (subscribe) { accept(); flood(() => [appeared(n, {}, 30), gone(n++)]); } else polite();`,
  "endless list": `if (command === "services") { accept(); flood(() => listed(n++)); } else polite();`,
  "queries, and reads no reply": `if (command === "track") { accept(); socket.pause(); flood(() => note({ "track-type": "query" })); } else polite();`,
  "no answer to hello": ``,
  "silence after hello": `if (command === "hello") polite();`,
  "no reply to queries": `if (command !== "subscribe") polite();`,
  "a message without end": `if (command !== "hello") polite();
    else { socket.write(Buffer.from([0, 0, 255, 255])); setInterval(() => socket.write("{"), 20); }`,
  "a message of 2 GiB": `if (command === "subscribe") socket.write(Buffer.from([127, 255, 255, 255, 1])); else polite();`,
  "a reply to nothing": `if (command === "subscribe") say({ "ta-cmd": "publish", "ta-id": 4711, "msg-type": "complete" }); else polite();`,
  "a match for nobody": `if (command === "subscribe") { polite(); say({ ...appeared(1, {}, 5), "ta-id": 4711 }); } else polite();`,
  "text for a number": `if (subscribe) { accept(); say({ ...appeared(1, {}, 5), generation: "0" }); } else polite();`,
  "a number for text": `if (subscribe) { accept(); say({ ...appeared(1, {}, 5), "match-type": 5 }); } else polite();`,
  "a number for properties": `if (subscribe) { accept(); say({ ...appeared(1, {}, 5), "service-props": 5 }); } else polite();`,
  "no object": `if (subscribe) { accept(); say([1]); } else polite();`,
  "a request": `if (subscribe) { accept(); say({ "ta-cmd": "ping", "ta-id": 1, "msg-type": "request" }); } else polite();`,
  "a generation that goes back": `if (subscribe) { accept(); say(appeared(1, {}, 5, 7)); say({ ...appeared(1, {}, 5, 6), "match-type": "modified" }); } else polite();`,
  "the same service twice": `if (subscribe) { accept(); say(appeared(1, {}, 5)); say(appeared(1, {}, 5)); } else polite();`,
  "the end of a subscription": `if (subscribe) { accept(); answer("complete"); } else polite();`,
  "the end of track": `if (command === "track") { accept(); answer("complete"); } else polite();`,
  "a reply that was not asked for": `if (command === "track") { accept(); say(note({ "track-type": "reply" })); } else polite();`,
  "the largest TTL there is": `if (subscribe) { accept(); say(appeared(1, {}, HUGE)); } else polite();`,
} as const;
export type Behaviour = keyof typeof BEHAVIOURS;
export const BEHAVIOUR_NAMES = Object.keys(BEHAVIOURS) as Behaviour[];

const SCRIPT = `
const net = require("node:net");
const HUGE = "9223372036854775807";
const behave = new Function("request", "command", "subscribe", "answer", "accept", "note", "appeared", "gone", "listed",
  "say", "flood", "polite", "socket", "HUGE", "state", "with (state) {" + process.argv[1] + "}");
net.createServer((socket) => {
  console.log("connected");
  socket.on("error", () => {});
  let rest = Buffer.alloc(0);
  const state = { n: 1 };
  const say = (message) => {
    const json = typeof message === "string" ? message : JSON.stringify(message).replaceAll('"' + HUGE + '"', HUGE);
    const frame = Buffer.alloc(4 + Buffer.byteLength(json));
    frame.writeUInt32BE(frame.length - 4);
    frame.write(json, 4);
    return socket.write(frame);
  };
  const flood = (make) => {
    const go = () => { while (!socket.destroyed) if (![].concat(make()).map(say).every(Boolean)) break; };
    socket.on("drain", go);
    go();
  };
  socket.on("data", (chunk) => {
    rest = Buffer.concat([rest, chunk]);
    while (rest.length >= 4 && rest.length >= 4 + rest.readUInt32BE()) {
      const length = rest.readUInt32BE();
      const request = JSON.parse(rest.subarray(4, 4 + length));
      rest = rest.subarray(4 + length);
      if (request["msg-type"] !== "request") continue;
      const command = request["ta-cmd"];
      const head = { "ta-cmd": command, "ta-id": request["ta-id"] };
      const answer = (type) => say({ ...head, "msg-type": type, ...(command === "hello" ? { "protocol-version": 3 } : {}) });
      const accept = () => answer("accept");
      const note = (fields) => ({ ...head, "msg-type": "notify", ...fields });
      const service = (id, props, ttl, generation) => ({ "service-id": id, generation, "service-props": props, ttl, "client-id": 1 });
      const appeared = (id, props, ttl, generation = 0) => note({ "match-type": "appeared", ...service(id, props, ttl, generation) });
      const gone = (id) => note({ "match-type": "disappeared", "service-id": id });
      const listed = (id) => note(service(id, {}, 5, 0));
      const polite = () => answer(["track", "subscribe", "services"].includes(command) ? "accept" : "complete");
      behave(request, command, command === "subscribe", answer, accept, note, appeared, gone, listed, say, flood, polite, socket, HUGE, state);
    }
  });
}).listen(0, "127.0.0.1", function () { console.log("tcp:127.0.0.1:" + this.address().port); });
`;

const running = new Set<ChildProcess>();
process.on("exit", () => {
  for (const child of running) child.kill("SIGKILL");
});

export class HostileServer extends Watch {
  address = "";
  connections = 0;
  private output = "";

  static async start(behaviour: Behaviour): Promise<HostileServer> {
    const child = spawn(process.execPath, ["-e", SCRIPT, BEHAVIOURS[behaviour]], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    running.add(child);
    const server = new HostileServer(child);
    await server.until(() => server.address !== "", "the hostile server's address");
    return server;
  }

  private constructor(private readonly child: ChildProcess) {
    super();
    child.stdout!.setEncoding("utf8").on("data", (text: string) => {
      this.output += text;
      this.address ||= /^tcp:.*$/m.exec(this.output)?.[0] ?? "";
      this.connections = this.output.match(/^connected$/gm)?.length ?? 0;
      this.happened();
    });
  }

  kill(): void {
    running.delete(this.child);
    this.child.kill("SIGKILL");
  }
}
