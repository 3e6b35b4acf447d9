/** An open subscribe transaction: takes the matches of one subscription to its connection. */

import type { MatchType, ServiceEntry, Subscription, SubscriptionSink } from "../core/entries.js";
import type { ServerConnection } from "./connection.js";

export class SubscribeTransaction implements SubscriptionSink {
  constructor(
    private readonly connection: ServerConnection,
    readonly taHi: number,
    readonly taLo: number,
  ) {}

  onMatch(_: Subscription, type: MatchType, service: ServiceEntry): void {
    const { connection } = this;
    try {
      connection.domain.notifications.sendMatch(connection, this.taHi, this.taLo, type, service);
      connection.notified();
    } catch (error) {
      connection.notificationFailed(error);
    }
  }
}
