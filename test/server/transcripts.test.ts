/** Replays every recorded transcript of the reference peers (../fixtures/wire) against our server, without a socket. */

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { UNLIMITED } from "../../src/core/limits.js";
import type { DomainOptions } from "../../src/server/domain.js";
import { parseExact } from "../support/exact-json.js";
import { InMemoryDomain, type Peer } from "../support/in-memory.js";
import { root } from "../support/root.js";

interface Line {
  t: number;
  dir: "c2s" | "s2c";
  conn: number;
  msg: string;
  event?: "close";
}

interface Scenario {
  /** How the recorded server was configured. */
  readonly options?: Partial<DomainOptions>;
  /** Remote address of each connection, where it matters. */
  readonly addresses?: readonly string[];
  /** Lines of the reference server that ours must not copy, and why. */
  readonly differs?: (line: Line) => Line[] | undefined;
}

const two = { clients: 2, services: 2, subscriptions: 2 };

const SCENARIOS: { readonly [file: string]: Scenario } = {
  "idle-timeout-v3-untracked.jsonl": { options: { idle: { min: 1, max: 2 } } },
  "track-query-reply.jsonl": { options: { idle: { min: 1, max: 2 } } },
  "client-id-collision-dead-peer.jsonl": { options: { idle: { min: 1, max: 2 } } },
  "client-id-collision-live-peer.jsonl": { options: { idle: { min: 1, max: 2 } } },
  "version-limited-server.jsonl": { options: { versions: { min: 2, max: 2 } } },
  "insufficient-resources.jsonl": { options: { limits: { total: UNLIMITED, user: two } } },
  "permission-denied-tcp-users.jsonl": {
    addresses: ["tcp:127.0.0.1:40335", "tcp:127.0.0.2:57715", "tcp:127.0.0.2:57716"],
  },
  "orphan-reclaim-and-reference-quirk.jsonl": {
    // The reference forgets to orphan a reclaimed service when its owner leaves again (10.3); we do not.
    differs: (line) => {
      if (line.dir !== "s2c" || line.t < 0.47 || !line.msg.includes('"service-id": 7')) return undefined;
      return [{ ...line, msg: line.msg.replace(/}$/, ', "orphan-since": 0}') }];
    },
  },
};

/** The additional notification of the second orphaning, which the reference does not send. */
const EXTRA: { readonly [file: string]: { readonly before: number; readonly line: Line } } = {
  "orphan-reclaim-and-reference-quirk.jsonl": {
    before: 0.6701,
    line: {
      t: 0.5,
      dir: "s2c",
      conn: 1,
      msg: '{"ta-cmd": "subscribe", "ta-id": 1, "msg-type": "notify", "match-type": "modified", "service-id": 7, "generation": 4, "service-props": {"name": ["x"]}, "ttl": 10, "client-id": 101, "orphan-since": 0}',
    },
  },
};

const VOLATILE = new Set(["time", "orphan-since", "idle", "latency", "client-address"]);

/** A message with what differs from run to run blanked, and values of a property in a fixed order. */
function comparable(text: string): unknown {
  const message = parseExact(text) as Record<string, unknown>;
  for (const name of Object.keys(message)) if (VOLATILE.has(name)) message[name] = "…";
  const props = message["service-props"] as Record<string, unknown[]> | undefined;
  for (const values of Object.values(props ?? {}))
    values.sort((a, b) => (`${typeof a}${a}` < `${typeof b}${b}` ? -1 : 1));
  return message;
}

const SLACK_MS = 1100; // the reference's handshake sweep runs once a second, and its idle timers vary by 10 %

for (const file of readdirSync(join(root, "test/fixtures/wire")).filter((name) => name.endsWith(".jsonl"))) {
  test(file, () => {
    const scenario = SCENARIOS[file] ?? {};
    const memory = new InMemoryDomain(scenario.options);
    const peers: Peer[] = [];
    const peer = (conn: number): Peer => {
      while (peers.length < conn) peers.push(memory.connect(scenario.addresses?.[peers.length]));
      return peers[conn - 1];
    };
    const lines = readFileSync(join(root, "test/fixtures/wire", file), "utf8")
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as Line)
      .flatMap((line) => scenario.differs?.(line) ?? [line]);
    const extra = EXTRA[file];
    if (extra)
      lines.splice(
        lines.findIndex((line) => line.t >= extra.before),
        0,
        extra.line,
      );

    const waitFor = (what: string, done: () => boolean) => {
      for (let waited = 0; !done() && waited < SLACK_MS; waited += 10) memory.advanceMs(10);
      if (!done()) assert.unreachable(`${what} did not come`);
    };
    for (const line of lines) {
      const now = memory.clock.monotonicMs();
      const { conn, dir, event, msg } = line;
      peer(conn);
      if (line.t * 1000 > now + SLACK_MS / 2 || dir === "c2s")
        memory.advanceMs(Math.max(0, line.t * 1000 - now - (dir === "c2s" ? 0 : SLACK_MS / 2)));
      if (dir === "c2s") {
        if (event === "close") peer(conn).leave();
        else peer(conn).send(msg);
      } else if (event === "close") {
        waitFor(`the end of connection ${conn} at ${line.t}`, () => peer(conn).closedByServer);
      } else {
        waitFor(`on connection ${conn} at ${line.t}: ${msg}`, () => peer(conn).received.length > 0);
        assert.equal(comparable(peer(conn).received.shift()!), comparable(msg), `connection ${conn} at ${line.t}`);
      }
    }
    for (const [index, { received }] of peers.entries()) {
      assert.equal(received, [], `connection ${index + 1} got more than the reference sends`);
    }
  });
}

test.run();
