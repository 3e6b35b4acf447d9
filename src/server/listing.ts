/**
 * Answers of many messages, made one message at a time as the peer takes them: however large the directory, a listing
 * keeps a place in it and not a copy (flow control: pathfinder-protocol.md, 13.1). A snapshot in the sense that only
 * what existed when it began is listed; what changes before it is its turn is listed as it is then, or not at all.
 */

import { NO_BLOCK } from "../core/blocks.js";
import { APPEARED, type ServiceCursor, type Subscription } from "../core/entries.js";
import { programText } from "../core/filter/program.js";
import type { ServiceDirectory } from "../core/service-directory.js";
import { encodeText } from "../core/text.js";
import { CLIENTS, SERVICES, SUBSCRIPTIONS } from "../wire/commands.js";
import { MESSAGE_ROOM, writeClient, writeSubscription } from "../wire/responses.js";
import type { ServerConnection } from "./connection.js";

export interface Listing {
  /** Goes on by one message, or less; false if that was the end. */
  step(): boolean;
  /** Ends the listing early, because the connection has gone. */
  close(): void;
}

/** The services that a new subscription matches; what is not announced yet when it ends is the directory's to forget. */
export function firstMatches(directory: ServiceDirectory, subscription: Subscription, initial: ServiceCursor): Listing {
  return {
    step() {
      if (initial.done) {
        subscription.initial = undefined;
        return false;
      }
      const service = directory.advance(initial, subscription.program);
      if (service) subscription.sink.onMatch(subscription, APPEARED, service);
      return true;
    },
    close() {},
  };
}

/** The answer to `services`. `program` (or NO_BLOCK) is given back when the listing ends. */
export function serviceListing(connection: ServerConnection, program: number, taHi: number, taLo: number): Listing {
  const { directory, notifications } = connection.domain;
  const cursor = directory.openCursor();
  const close = () => {
    directory.closeCursor(cursor);
    directory.releaseFilter(program);
  };
  return {
    step() {
      if (cursor.done) {
        close();
        connection.complete(SERVICES, taHi, taLo);
        return false;
      }
      const service = directory.advance(cursor, program);
      if (service) notifications.sendService(connection, taHi, taLo, service);
      return true;
    },
    close,
  };
}

/** The answer to `subscriptions`. */
export function subscriptionListing(connection: ServerConnection, taHi: number, taLo: number): Listing {
  const { directory, outbox } = connection.domain;
  const send = (subscription: Subscription) => {
    const { program } = subscription;
    const filter = program === NO_BLOCK ? undefined : encodeText(programText(directory.store, program));
    const at = connection.begin(MESSAGE_ROOM + 6 * (filter?.length ?? 0));
    connection.send(writeSubscription(outbox.bytes, at, taHi, taLo, subscription, filter));
  };
  const complete = () => connection.complete(SUBSCRIPTIONS, taHi, taLo);
  return inOrder(directory.subscriptions.values(), directory.lastSequence, send, complete);
}

/** The answer to `clients`: the connections that have completed the handshake. */
export function clientListing(connection: ServerConnection, taHi: number, taLo: number): Listing {
  const { clock, handshakedConnections, lastHandshake, outbox } = connection.domain;
  const send = (other: ServerConnection) => {
    const address = encodeText(other.transport.remoteAddress);
    const listing = {
      idHi: other.client!.idHi,
      idLo: other.client!.idLo,
      address,
      connectedAtUnix: other.connectedAtUnix,
      idleSeconds: Math.max(0, clock.monotonicMs() - other.lastHeardMs) / 1000,
      version: other.version,
      latencySeconds: other.latencySeconds,
    };
    const at = connection.begin(MESSAGE_ROOM + 6 * address.length);
    connection.send(writeClient(outbox.bytes, at, taHi, taLo, listing, connection.version));
  };
  return inOrder(handshakedConnections, lastHandshake, send, () => connection.complete(CLIENTS, taHi, taLo));
}

/** A listing of elements in order of creation, up to `lastSequence`, the last one when it began. */
function inOrder<T extends { readonly sequence: number }>(
  elements: Iterator<T>,
  lastSequence: number,
  send: (element: T) => void,
  complete: () => void,
): Listing {
  return {
    step() {
      const { done, value } = elements.next();
      if (!done && value.sequence <= lastSequence) {
        send(value);
        return true;
      }
      complete();
      return false;
    },
    close() {},
  };
}
