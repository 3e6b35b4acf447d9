/**
 * What a domain must do, written down in the plainest way from pathfinder-protocol.md (4, 6, 10, 11, 12): maps and
 * loops, messages as objects. The server is compared with it, message for message.
 *
 * When a silent client is dropped is partly up to the server; the model is told, and checks that it was time.
 */

import { printFilter } from "../../../src/core/filter/syntax.js";
import type { DomainLimits, Resource } from "../../../src/core/limits.js";
import { type FieldValue, type ReferenceProps, referenceMessage } from "../reference.js";
import {
  type ModelClient,
  type ModelConnection,
  type ModelService,
  type ModelSubscription,
  parsed,
  type Say,
  sameProps,
  satisfies,
  state,
} from "./model-state.js";

export interface ModelOptions {
  readonly nowMs: () => number;
  readonly nowUnix: () => number;
  readonly limits: DomainLimits;
  readonly idle: { readonly min: number; readonly max: number };
  readonly versions: { readonly min: bigint; readonly max: bigint };
}

export class DomainModel {
  /** In order of creation. */
  readonly services = new Map<bigint, ModelService>();
  readonly subscriptions = new Map<bigint, ModelSubscription>();
  /** In order of the handshakes. */
  readonly handshaked = new Map<bigint, ModelConnection>();
  private readonly clients = new Map<bigint, ModelClient>();
  private orphans = 0;

  constructor(private readonly options: ModelOptions) {}

  /** A message came; false if the connection must end for it. */
  process(by: ModelConnection, bytes: Uint8Array): boolean {
    const message = referenceMessage(bytes, Number(by.version), true);
    if (message === undefined) return false;
    if (by.handshaked) {
      by.lastHeardMs = this.options.nowMs();
      by.challengedAtMs = undefined;
    }
    const command = message.get("ta-cmd") as string;
    const type = message.get("msg-type") as string;
    const taId = message.get("ta-id") as bigint;
    const open = by.transactions.get(taId);
    if (type === "inform") return open === "track" && this.inform(by, taId, message.get("track-type") as string);
    if (type !== "request" || open !== undefined) return false;
    const say: Say = (msgType, fields = {}) => {
      by.heard.push({ "ta-cmd": command, "ta-id": taId, "msg-type": msgType, ...fields });
      return undefined;
    };
    const outcome = (reason: string | undefined) =>
      reason === undefined ? say("complete") : say("fail", { "fail-reason": reason });
    if (command === "hello") this.hello(by, message, say);
    else if (!by.handshaked) outcome("no-hello");
    else if (command === "ping") outcome(undefined);
    else if (command === "publish") outcome(this.publish(by, message));
    else if (command === "unpublish") outcome(this.unpublish(by, message.get("service-id") as bigint));
    else if (command === "subscribe") this.subscribe(by, message, taId, say);
    else if (command === "unsubscribe") this.unsubscribe(by, message.get("subscription-id") as bigint, outcome);
    else if (command === "services") this.listServices(message, say);
    else if (command === "subscriptions") this.listSubscriptions(say);
    else if (command === "clients") this.listClients(by, say);
    else this.track(by, taId, say);
    return true;
  }

  /** The connection has ended, for whatever reason. */
  disconnect(by: ModelConnection): void {
    if (!by.open) return;
    by.open = false;
    if (!by.handshaked) return;
    const id = by.claimed!;
    for (const subscription of [...this.subscriptions.values()]) {
      if (subscription.by === by) this.subscriptions.delete(subscription.id);
    }
    this.handshaked.delete(id);
    const client = this.clients.get(id)!;
    client.connected = false;
    const now = this.options.nowUnix();
    for (const service of [...client.services]) {
      if (service.orphanSince !== undefined) continue;
      service.orphanSince = now;
      service.orphanOrder = ++this.orphans;
      service.expiresAtMs = this.options.nowMs() + Number(service.ttl) * 1000;
      this.notify(service, service.props, service.props);
    }
    this.forget(id);
  }

  /** The orphan that is the next to expire. */
  nextOrphan(): ModelService | undefined {
    let next: ModelService | undefined;
    for (const service of this.services.values()) {
      if (service.orphanSince === undefined) continue;
      const sooner = next && (service.expiresAtMs - next.expiresAtMs || service.orphanOrder - next.orphanOrder);
      if (sooner === undefined || sooner < 0) next = service;
    }
    return next;
  }

  remove(service: ModelService): void {
    this.services.delete(service.id);
    this.leave(service);
    this.notify(service, service.props, undefined);
  }

  /** Why a connection may not be dropped for silence now; `undefined` if it may. */
  tooEarly(by: ModelConnection): string | undefined {
    const now = this.options.nowMs();
    if (!by.handshaked) return now - by.acceptedAtMs >= 1999.999 ? undefined : "its time for the handshake is not over";
    if (by.version < 3n) return "it speaks version 2";
    const { min } = this.options.idle;
    const { challengedAtMs } = by;
    if (challengedAtMs !== undefined && now - challengedAtMs >= 500 * min - 0.001) return undefined;
    const shortest = by.changedAtMs > by.lastHeardMs ? min : this.maxIdle(by);
    const silent = now - by.lastHeardMs;
    return silent >= 950 * shortest - 0.001
      ? undefined
      : `it was silent for ${silent} ms, and may be for ${shortest} s`;
  }

  /** Why a connection should have been dropped by now. `since`: when the server was last known to run late. */
  tooLate(by: ModelConnection, since: number): string | undefined {
    const now = this.options.nowMs();
    if (!by.handshaked) {
      if (by.everContested || now - Math.max(by.acceptedAtMs, since) <= 2000.001) return undefined;
      return "no handshake for more than 2 s";
    }
    if (by.version < 3n) return undefined;
    const longest = by.changedAtMs > by.lastHeardMs ? this.options.idle.max : this.maxIdle(by);
    const silent = now - Math.max(by.lastHeardMs, since);
    return silent <= 1050 * longest + 0.001 ? undefined : `silent for ${silent} ms, more than ${longest} s`;
  }

  /** How long it has been silent, as a share of the longest silence it may keep. */
  silentFor(by: ModelConnection): number {
    if (!by.handshaked) return 0;
    const shortest = by.changedAtMs > by.lastHeardMs ? this.options.idle.min : this.maxIdle(by);
    return (this.options.nowMs() - by.lastHeardMs + 0.001) / (1000 * shortest);
  }

  private maxIdle(by: ModelConnection): number {
    const { min, max } = this.options.idle;
    let lowest = Infinity;
    for (const service of this.clients.get(by.claimed!)!.services) {
      if (service.orphanSince === undefined) lowest = Math.min(lowest, Number(service.ttl));
    }
    return Math.max(min, Math.min(max, lowest));
  }

  // --- requests -----------------------------------------------------------------------------------------------------

  private hello(by: ModelConnection, message: Map<string, FieldValue>, say: Say): undefined {
    const { versions, nowMs } = this.options;
    const id = message.get("client-id") as bigint;
    const refuse = (reason: string) => say("fail", { "fail-reason": reason });
    by.claimed ??= id;
    if (by.claimed !== id) return refuse("permission-denied");
    if (by.handshaked) return say("complete", { "protocol-version": by.version });
    const from = message.get("protocol-minimum-version") as bigint;
    const to = message.get("protocol-maximum-version") as bigint;
    const version = to < versions.max ? to : versions.max;
    if (version < (from > versions.min ? from : versions.min)) {
      by.version = 2n;
      return refuse("unsupported-protocol-version");
    }
    by.version = version;
    const known = this.clients.get(id);
    by.contested = known?.connected === true;
    if (by.contested) {
      by.everContested = true;
      const other = this.handshaked.get(id)!;
      other.challengedAtMs ??= nowMs();
      return refuse("client-id-exists");
    }
    if (known && known.user !== by.user) return refuse("permission-denied");
    const ofUser = [...this.handshaked.values()].filter(({ user }) => user === by.user).length;
    if (!this.allowed("clients", this.handshaked.size, ofUser)) return refuse("insufficient-resources");
    if (known) known.connected = true;
    else this.clients.set(id, { user: by.user, connected: true, services: new Set() });
    by.handshaked = true;
    by.lastHeardMs = nowMs();
    by.challengedAtMs = undefined;
    this.handshaked.set(id, by);
    return say("complete", { "protocol-version": version });
  }

  private allowed(resource: Resource, total: number, user: number): boolean {
    const { limits } = this.options;
    return total < limits.total[resource] && user < limits.user[resource];
  }

  private publish(by: ModelConnection, message: Map<string, FieldValue>): string | undefined {
    const id = message.get("service-id") as bigint;
    const generation = message.get("generation") as bigint;
    const ttl = message.get("ttl") as bigint;
    const props = message.get("service-props") as ReferenceProps;
    const service = this.services.get(id);
    if (service === undefined) {
      const ofUser = [...this.services.values()].filter(({ user }) => user === by.user).length;
      if (!this.allowed("services", this.services.size, ofUser)) return "insufficient-resources";
      const created: ModelService = {
        ...{ id, user: by.user, owner: by.claimed!, generation, ttl, props },
        ...{ orphanSince: undefined, expiresAtMs: 0, orphanOrder: 0 },
      };
      this.services.set(id, created);
      this.clients.get(by.claimed!)!.services.add(created);
      this.notify(created, undefined, props);
      return undefined;
    }
    if (service.user !== by.user) return "permission-denied";
    if (generation < service.generation) return "old-generation";
    if (generation === service.generation) {
      if (ttl !== service.ttl || !sameProps(props, service.props)) return "same-generation-but-different";
      if (service.owner !== by.claimed || service.orphanSince !== undefined) this.takeOver(service, by);
      return undefined;
    }
    const before = service.props;
    this.move(service, by);
    Object.assign(service, { generation, ttl, props });
    this.notify(service, before, props);
    return undefined;
  }

  private unpublish(by: ModelConnection, id: bigint): string | undefined {
    const service = this.services.get(id);
    if (service === undefined) return "non-existent-service-id";
    if (service.user !== by.user) return "permission-denied";
    if (service.owner !== by.claimed || service.orphanSince !== undefined) this.takeOver(service, by);
    this.remove(service);
    return undefined;
  }

  private takeOver(service: ModelService, by: ModelConnection): void {
    this.move(service, by);
    this.notify(service, service.props, service.props);
  }

  /** The service belongs to this client now, and is no orphan. Who keeps a service keeps its place in the order. */
  private move(service: ModelService, by: ModelConnection): void {
    const { owner } = service;
    service.orphanSince = undefined;
    service.owner = by.claimed!;
    if (owner !== by.claimed) {
      this.clients.get(owner)!.services.delete(service);
      this.changed(owner);
      this.forget(owner);
    }
    this.clients.get(by.claimed!)!.services.add(service);
  }

  private leave(service: ModelService): void {
    this.clients.get(service.owner)!.services.delete(service);
    this.changed(service.owner);
    this.forget(service.owner);
  }

  private changed(client: bigint): void {
    const connection = this.handshaked.get(client);
    if (connection) connection.changedAtMs = this.options.nowMs() + 1e-9;
  }

  private forget(id: bigint): void {
    const client = this.clients.get(id);
    if (client && !client.connected && client.services.size === 0) this.clients.delete(id);
  }

  private subscribe(by: ModelConnection, message: Map<string, FieldValue>, taId: bigint, say: Say): undefined {
    const id = message.get("subscription-id") as bigint;
    const filter = parsed(message.get("filter") as string | undefined);
    const refuse = (reason: string) => say("fail", { "fail-reason": reason });
    if (filter === "invalid") return refuse("invalid-filter-syntax");
    if (this.subscriptions.has(id)) return refuse("subscription-id-exists");
    const ofUser = [...this.subscriptions.values()].filter((other) => other.by.user === by.user).length;
    if (!this.allowed("subscriptions", this.subscriptions.size, ofUser)) return refuse("insufficient-resources");
    const subscription = { id, by, taId, filter };
    this.subscriptions.set(id, subscription);
    by.transactions.set(taId, subscription);
    say("accept");
    for (const service of this.services.values()) {
      if (satisfies(filter, service.props)) say("notify", { "match-type": "appeared", ...state(service) });
    }
    return undefined;
  }

  private unsubscribe(by: ModelConnection, id: bigint, outcome: (reason: string | undefined) => undefined): undefined {
    const subscription = this.subscriptions.get(id);
    if (subscription === undefined) return outcome("non-existent-subscription-id");
    if (subscription.by.claimed !== by.claimed) return outcome("permission-denied");
    this.subscriptions.delete(id);
    by.transactions.delete(subscription.taId);
    by.heard.push({ "ta-cmd": "subscribe", "ta-id": subscription.taId, "msg-type": "complete" });
    return outcome(undefined);
  }

  private listServices(message: Map<string, FieldValue>, say: Say): undefined {
    const filter = parsed(message.get("filter") as string | undefined);
    if (filter === "invalid") return say("fail", { "fail-reason": "invalid-filter-syntax" });
    say("accept");
    for (const service of this.services.values()) {
      if (satisfies(filter, service.props)) say("notify", state(service));
    }
    return say("complete");
  }

  private listSubscriptions(say: Say): undefined {
    say("accept");
    for (const { id, by, filter } of this.subscriptions.values()) {
      const text = filter === undefined ? {} : { filter: printFilter(filter) };
      say("notify", { "subscription-id": id, "client-id": by.claimed!, ...text });
    }
    return say("complete");
  }

  private listClients(asker: ModelConnection, say: Say): undefined {
    say("accept");
    for (const [id, client] of this.handshaked) {
      const { address, acceptedAtUnix, lastHeardMs, version, latency } = client;
      say("notify", {
        ...{ "client-id": id, "client-address": address, time: Math.floor(acceptedAtUnix) },
        ...(asker.version < 3n
          ? {}
          : { idle: (this.options.nowMs() - lastHeardMs) / 1000, "protocol-version": version }),
        ...(asker.version < 3n || latency === undefined ? {} : { latency }),
      });
    }
    return say("complete");
  }

  private track(by: ModelConnection, taId: bigint, say: Say): undefined {
    if (by.tracks) return say("fail", { "fail-reason": "track-exists" });
    by.tracks = true;
    by.transactions.set(taId, "track");
    return say("accept");
  }

  private inform(by: ModelConnection, taId: bigint, trackType: string): boolean {
    if (trackType === "query") {
      by.heard.push({ "ta-cmd": "track", "ta-id": taId, "msg-type": "notify", "track-type": "reply" });
      return true;
    }
    if (by.askedAtMs === undefined) return false;
    by.latency = (this.options.nowMs() - by.askedAtMs) / 1000;
    by.askedAtMs = undefined;
    return true;
  }

  // --- notifications ------------------------------------------------------------------------------------------------

  private notify(service: ModelService, before: ReferenceProps | undefined, after: ReferenceProps | undefined): void {
    for (const { by, taId, filter } of this.subscriptions.values()) {
      const did = before !== undefined && satisfies(filter, before);
      const does = after !== undefined && satisfies(filter, after);
      if (!did && !does) continue;
      const head = { "ta-cmd": "subscribe", "ta-id": taId, "msg-type": "notify" };
      if (does) by.heard.push({ ...head, "match-type": did ? "modified" : "appeared", ...state(service) });
      else by.heard.push({ ...head, "match-type": "disappeared", "service-id": service.id });
    }
  }
}
