/** Speaking with a domain in memory in terms of requests and answers. */

import * as assert from "uvu/assert";
import type { Logger } from "../../src/core/log.js";
import type { Peer } from "../support/in-memory.js";

export type Fields = { readonly [name: string]: unknown };
// biome-ignore lint/suspicious/noExplicitAny: tests look into it as they like
export type Answer = { readonly [name: string]: any };

/** A client's message as text. Ids in tests are small, so that JSON numbers do. */
export const message = (type: string, command: string, taId: number, fields: Fields = {}): string =>
  JSON.stringify({ "ta-cmd": command, "ta-id": taId, "msg-type": type, ...fields });

/** Everything that has come since the last look. */
export const received = (peer: Peer): Answer[] => peer.received.splice(0).map((text) => JSON.parse(text));

let lastTaId = 1000;

/** Sends a request in a transaction of its own and returns what came back, without the transaction id. */
export function ask(peer: Peer, command: string, fields: Fields = {}): Answer[] {
  const taId = ++lastTaId;
  peer.send(message("request", command, taId, fields));
  return received(peer).map(({ "ta-id": id, ...rest }) => {
    if (rest["ta-cmd"] === command) assert.is(id, taId);
    return rest;
  });
}

/** The answer's word: the fail reason, or the type of the last message. */
export function outcome(peer: Peer, command: string, fields: Fields = {}): string {
  const last = ask(peer, command, fields).at(-1);
  return last?.["fail-reason"] ?? last?.["msg-type"] ?? "nothing";
}

export const helloFields = (id: number, min = 2, max = 3): Fields => ({
  "client-id": id,
  "protocol-minimum-version": min,
  "protocol-maximum-version": max,
});

export const serviceFields = (id: number, { generation = 0, props = {}, ttl = 10 } = {}): Fields => ({
  "service-id": id,
  generation,
  "service-props": props,
  ttl,
});

export const publish = (peer: Peer, id: number, options: Parameters<typeof serviceFields>[1] = {}): string =>
  outcome(peer, "publish", serviceFields(id, options));

/** Subscribes in transaction `taId` and returns what comes at once. */
export function subscribe(
  peer: Peer,
  id: number,
  { filter = undefined as string | undefined, taId = id } = {},
): Answer[] {
  peer.send(message("request", "subscribe", taId, { "subscription-id": id, ...(filter ? { filter } : {}) }));
  return received(peer);
}

/** Notifications in short: `appeared 7`, `modified 7 orphan`. */
export const matches = (answers: readonly Answer[]): string[] =>
  answers
    .filter((answer) => answer["match-type"])
    .map((a) => `${a["match-type"]} ${a["service-id"]}${"orphan-since" in a ? " orphan" : ""}`);

/** A log that keeps its lines as `LEVEL text`. */
export function recordingLog(): { readonly lines: string[]; readonly log: Logger } {
  const lines: string[] = [];
  const at = (level: string) => (text: () => string) => void lines.push(`${level} ${text()}`);
  return { lines, log: { debug: at("DEBUG"), info: at("INFO"), warning: at("WARNING"), error: at("ERROR") } };
}
