/** What went wrong, in the reference's words where it has some (pafd-and-pafc.md, 3), and a line with more where it helps. */

import { constants } from "node:os";
import { getSystemErrorMap } from "node:util";
import { ProtocolError, RequestError, SessionClosedError } from "../client/session.js";
import type { FailReason } from "../core/fail-reason.js";
import { printable } from "../core/printable.js";
import { TransportError } from "../transport/index.js";
import { InterruptedError } from "./interrupts.js";
import { UsageError } from "./usage-error.js";

/** No answer within --timeout. */
export class TimeoutError extends Error {
  override readonly name = "TimeoutError";
}

/** (sic) */
const COMMUNICATION = "Error communicating with Patherfinder server:";

/** Where libuv's wording is not the C library's, which the reference prints. */
const C_LIBRARY_TEXTS: Readonly<Record<string, string>> = {
  EHOSTUNREACH: "No route to host",
  EIO: "Input/output error",
};

const HINTS: { readonly [reason in FailReason]?: string } = {
  "same-generation-but-different":
    "The service exists with other properties or another TTL; give a higher --generation.",
  "old-generation": "The service exists with a higher generation; give a --generation above it.",
};

/** The lines to print, safe for a terminal; `undefined` if it is no failure that pafc knows: our bug. */
export function failureLines(error: unknown): string[] | undefined {
  return describe(error)?.map(printable);
}

function describe(error: unknown): readonly string[] | undefined {
  if (error instanceof UsageError) return error.lines;
  if (error instanceof InterruptedError) return [];
  if (error instanceof TimeoutError) return [`${COMMUNICATION} ${errnoText("ETIMEDOUT")}.`, error.message];
  if (error instanceof TransportError) return [`${COMMUNICATION} ${errnoText(error.code)}.`, error.message];
  if (error instanceof ProtocolError) return [`${COMMUNICATION} ${error.message}.`];
  if (error instanceof SessionClosedError) return ["Server closed connection"];
  if (!(error instanceof RequestError)) return undefined;
  const reason = error.failReason;
  if (error.command === "hello")
    return [`${COMMUNICATION} Protocol establishment failed: ${reason ?? "no reason given"}.`];
  const hint = reason && HINTS[reason];
  return [refusalLine(error), ...(hint ? [hint] : [])];
}

/** Safe for a terminal. */
export function refusalLine({ failReason }: RequestError): string {
  return printable(`Protocol transaction failed${failReason === undefined ? "" : `: '${failReason}'`}.`);
}

/** `[Errno 111] Connection refused` */
function errnoText(code: string): string {
  const number = (constants.errno as Readonly<Record<string, number>>)[code];
  if (number === undefined) return code;
  const text = C_LIBRARY_TEXTS[code] ?? getSystemErrorMap().get(-number)?.[1] ?? code;
  return `[Errno ${number}] ${text.charAt(0).toUpperCase()}${text.slice(1)}`;
}
