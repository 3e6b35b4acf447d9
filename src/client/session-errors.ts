/** Why a session, or one of its requests, came to nothing. (A broken protocol is a `ProtocolError`, no connection a `TransportError`.) */

import type { FailReason } from "../core/fail-reason.js";

/** The server refused a request. Applications match on `failReason`, never on the text. */
export class RequestError extends Error {
  override readonly name = "RequestError";
  constructor(
    readonly command: string,
    /** Absent if the server gave none (pathfinder-protocol.md, 4). */
    readonly failReason: FailReason | undefined,
  ) {
    super(`the server refused ${command}: ${failReason ?? "no reason given"}`);
  }
}

/** The session has ended, so the request can not be made or will not be answered. */
export class SessionClosedError extends Error {
  override readonly name = "SessionClosedError";
}
