/**
 * The requests of one connection that wait for messages of the server: which message may come when, as data
 * (pathfinder-protocol.md, 4), and whom it concerns.
 */

import type { FailReason } from "../core/fail-reason.js";
import { toBigInt } from "../core/uint63.js";
import { COMMANDS, F, MESSAGE_TYPES, type MessageType } from "../wire/commands.js";
import { ProtocolError } from "../wire/protocol-error.js";
import type { Message } from "../wire/scanner.js";
import { RequestError } from "./session-errors.js";

export interface Transaction {
  /** Number in COMMANDS. */
  readonly command: number;
  onAccept?(): void;
  /** `length`: of the message, in bytes. */
  onNotify?(message: Message, length: number): void;
  onComplete(message: Message): void;
  onFail(error: Error): void;
}

type Phase = "requested" | "accepted";
type Next = Phase | "ended";
/** A pair that is missing is not legal; which messages a command has at all, the scanner knows. */
type Legal = { readonly [when in `${Phase}/${MessageType}`]?: Next };

const SINGLE_RESPONSE: Legal = { "requested/complete": "ended", "requested/fail": "ended" };
/** With notifications, so also two-way. */
const MULTIPLE_RESPONSE: Legal = {
  "requested/accept": "accepted",
  "requested/fail": "ended",
  "accepted/notify": "accepted",
  "accepted/complete": "ended",
};

interface Open {
  readonly transaction: Transaction;
  readonly legal: Legal;
  phase: Phase;
}

export class Transactions {
  private readonly open = new Map<bigint, Open>();
  private nextId = 0n;

  /** How many wait for the server. */
  get size(): number {
    return this.open.size;
  }

  /** The id of the next request; they count up from 0 (libpaf-client.md, 2.3). */
  newId(): bigint {
    return this.nextId++;
  }

  begin(id: bigint, transaction: Transaction): void {
    const legal = COMMANDS[transaction.command]!.messages.notify ? MULTIPLE_RESPONSE : SINGLE_RESPONSE;
    this.open.set(id, { transaction, legal, phase: "requested" });
  }

  /** Hands a message of the server on. Throws a `ProtocolError` if it may not come, and what the transaction throws. */
  dispatch(message: Message, length: number): void {
    const id = toBigInt(message.hi(F.taId), message.lo(F.taId));
    const { name } = COMMANDS[message.command]!;
    const type = MESSAGE_TYPES[message.type]!;
    if (type === "request" || type === "inform") {
      throw new ProtocolError(`a server sends no request and no inform (transaction ${id})`);
    }
    const open = this.open.get(id);
    if (!open || open.transaction.command !== message.command) {
      throw new ProtocolError(`message in transaction ${id}, which is not open for ${name}`);
    }
    const next = open.legal[`${open.phase}/${type}`];
    if (next === undefined) throw new ProtocolError(`${name}: ${outOfOrder(open.phase, type)} (transaction ${id})`);
    if (next === "ended" && type === "fail") {
      this.open.delete(id);
      const reason = message.has(F.failReason) ? (message.text(F.failReason) as FailReason) : undefined;
      open.transaction.onFail(new RequestError(name, reason));
      return;
    }
    if (next !== "ended") open.phase = next;
    if (type === "accept") open.transaction.onAccept?.();
    else if (type === "notify") open.transaction.onNotify?.(message, length);
    else open.transaction.onComplete(message); // before it is forgotten: if it throws, it fails with the others
    if (next === "ended") this.open.delete(id);
  }

  /** The connection has ended: nothing more comes. */
  failAll(error: Error): void {
    const open = [...this.open.values()];
    this.open.clear();
    for (const { transaction } of open) transaction.onFail(error);
  }
}

const outOfOrder = (phase: Phase, type: MessageType): string => {
  if (phase === "requested") return `${type} before accept`;
  return type === "accept" ? "a second accept" : `${type} after accept`;
};
