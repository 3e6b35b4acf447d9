/** What the notifications of a server say, as values of this library (pathfinder-protocol.md, 6). */

import type { Match, ServiceState } from "../core/directory-access.js";
import { PairHash } from "../core/pair-hash.js";
import { RecordBuilder, toProperties } from "../core/record.js";
import { toBigInt } from "../core/uint63.js";
import { F, MATCH_TYPES } from "../wire/commands.js";
import { ProtocolError } from "../wire/protocol-error.js";
import { type Message, Scanner } from "../wire/scanner.js";

/** A subscription of any client of the domain. */
export interface SubscriptionState {
  readonly id: bigint;
  /** Whose it is. */
  readonly client: bigint;
  /** Canonical text; absent if the subscription has no filter. */
  readonly filter?: string;
}

/** A client that is connected to the server. */
export interface ClientState {
  readonly id: bigint;
  /** As XCM prints it, e.g. `tcp:192.0.2.1:4711`. */
  readonly address: string;
  /** When it connected, in seconds since the UNIX epoch. */
  readonly connectedAt: number;
  /** Seconds since it was heard. This and the rest only if this session speaks version 3. */
  readonly idleSeconds?: number;
  readonly protocolVersion?: number;
  /** Between the server's last track query and the client's reply, in seconds. */
  readonly latencySeconds?: number;
}

const number = (message: Message, field: number): bigint => toBigInt(message.hi(field), message.lo(field));

/** Scans the messages of one connection and takes their contents out, which are valid until the next one is scanned. */
export class MessageReader {
  private readonly builder = new RecordBuilder(new PairHash(0, 0));
  private readonly scanner = new Scanner({ builder: this.builder, ignoreUnknownMembers: true });

  /** Throws a `ProtocolError`. */
  scan(bytes: Uint8Array, start: number, end: number, version: number): Message {
    return this.scanner.scan(bytes, start, end, version);
  }

  version(message: Message): number {
    return Number(number(message, F.version));
  }

  /** The owner is 0 if the server does not name it; libpaf does not look at it (libpaf-client.md, 9). */
  service(message: Message): ServiceState {
    return {
      id: number(message, F.serviceId),
      generation: number(message, F.generation),
      ttlSeconds: number(message, F.ttl),
      properties: toProperties(this.builder.page, 0),
      owner: message.has(F.clientId) ? number(message, F.clientId) : 0n,
      ...(message.has(F.orphanSince) ? { orphanSince: message.numbers[F.orphanSince]! } : {}),
    };
  }

  /** Throws a `ProtocolError` if the state of the service is missing. */
  match(message: Message): Match {
    const type = MATCH_TYPES[message.matchType]!;
    if (type === "disappeared") return { type, serviceId: number(message, F.serviceId) };
    for (const field of [F.generation, F.props, F.ttl]) {
      if (!message.has(field)) throw new ProtocolError(`subscribe notify: "${type}" without the state of the service`);
    }
    return { type, service: this.service(message) };
  }

  subscription(message: Message): SubscriptionState {
    return {
      id: number(message, F.subscriptionId),
      client: number(message, F.clientId),
      ...(message.has(F.filter) ? { filter: message.text(F.filter) } : {}),
    };
  }

  client(message: Message): ClientState {
    return {
      id: number(message, F.clientId),
      address: message.text(F.clientAddress),
      connectedAt: Number(number(message, F.time)),
      ...(message.has(F.idle) ? { idleSeconds: message.numbers[F.idle]! } : {}),
      ...(message.has(F.version) ? { protocolVersion: this.version(message) } : {}),
      ...(message.has(F.latency) ? { latencySeconds: message.numbers[F.latency]! } : {}),
    };
  }
}
