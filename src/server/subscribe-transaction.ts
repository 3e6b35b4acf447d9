/** An open subscribe transaction: takes the matches of one subscription to its connection. */

import type { MatchType, ServiceEntry, Subscription, SubscriptionSink } from "../core/service-directory.js";
import type { ServerConnection } from "./connection.js";

export class SubscribeTransaction implements SubscriptionSink {
  constructor(
    private readonly connection: ServerConnection,
    readonly taHi: number,
    readonly taLo: number,
  ) {}

  onMatch(_: Subscription, type: MatchType, service: ServiceEntry): void {
    this.connection.domain.notifications.sendMatch(this.connection, this.taHi, this.taLo, type, service);
    this.connection.notified();
  }
}
