/**
 * Notifications about services: encoded once per change, sent to many. HOT: once per subscription that matches. The
 * state of the service is written for the first of them; for the others it is copied inside the outbox's arena, as long
 * as that was not flushed in between. `npm run bench -- fan-out` shows the cost.
 */

import { DISAPPEARED, type MatchType, type ServiceEntry } from "../core/entries.js";
import type { ServiceDirectory } from "../core/service-directory.js";
import type { Outbox } from "../transport/outbox.js";
import {
  MESSAGE_ROOM,
  serviceStateRoom,
  writeClose,
  writeMatch,
  writeService,
  writeServiceState,
} from "../wire/responses.js";
import type { ServerConnection } from "./connection.js";

export class Notifications {
  /** The last state that was written: whose, where, and in which filling of the arena. */
  private change = -1;
  private service: ServiceEntry | undefined;
  private stateAt = 0;
  private stateEnd = 0;
  private flushes = -1;

  constructor(
    private readonly directory: ServiceDirectory,
    private readonly outbox: Outbox,
  ) {}

  sendMatch(connection: ServerConnection, taHi: number, taLo: number, type: MatchType, service: ServiceEntry): void {
    const { outbox } = this;
    if (type === DISAPPEARED) {
      const at = connection.begin();
      connection.send(writeClose(outbox.bytes, writeMatch(outbox.bytes, at, taHi, taLo, type, service)));
      return;
    }
    const at = connection.begin(MESSAGE_ROOM + serviceStateRoom(this.directory, service));
    connection.send(this.state(writeMatch(outbox.bytes, at, taHi, taLo, type, service), service));
  }

  /** One line of a `services` listing. */
  sendService(connection: ServerConnection, taHi: number, taLo: number, service: ServiceEntry): void {
    const { outbox } = this;
    const at = connection.begin(MESSAGE_ROOM + serviceStateRoom(this.directory, service));
    connection.send(this.state(writeService(outbox.bytes, at, taHi, taLo, service), service));
  }

  private state(at: number, service: ServiceEntry): number {
    const { outbox } = this;
    if (this.service === service && this.change === service.change && this.flushes === outbox.flushes) {
      outbox.bytes.copyWithin(at, this.stateAt, this.stateEnd);
      return at + this.stateEnd - this.stateAt;
    }
    const end = writeServiceState(outbox.bytes, at, this.directory, service);
    this.service = service;
    this.change = service.change;
    this.flushes = outbox.flushes;
    this.stateAt = at;
    this.stateEnd = end;
    return end;
  }
}
