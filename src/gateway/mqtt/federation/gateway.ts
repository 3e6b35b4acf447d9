/** The federation gateway: this domain and those of other boards become one directory, over a broker. */

import { hostname } from "node:os";
import type { Clock } from "../../../core/clock.js";
import type { Logger } from "../../../core/log.js";
import type { Gateway, GatewayContext, GatewayState } from "../../gateway.js";
import type { BrokerOptions } from "../broker-options.js";
import { BrokerConnection } from "../connection.js";
import { Federation } from "./federation.js";
import { HEARTBEAT } from "./presence.js";
import { FEDERATION_NAME } from "./topics.js";

/** What the configuration says of one federation. Only `url` is needed. */
export interface FederationGatewayOptions extends Omit<BrokerOptions, "clientId" | "keepaliveSeconds" | "will"> {
  /** Default: `pathfinder-edge-<federation>-<board>-<12 digits of this process>`. */
  readonly clientId?: string;
  /** A hung broker is noticed within 1.5 times this. Default: 60, 5 at least. */
  readonly keepaliveSeconds?: number;
  /** Of the federation; boards with the same one share their services. Default: `site`. */
  readonly name?: string;
  /** Of this board; each needs its own. Default: the host name. */
  readonly board?: string;
  /** First level(s) of its topics. Default: `pf1`. */
  readonly root?: string;
  /** Which services are told to the other boards. Default: all. */
  readonly filter?: string;
  /**
   * Seconds between two words of this board; with more than half as many boards as that, two for each of them. A board that
   * is silent for three of its heartbeats is gone. Default: 60.
   */
  readonly heartbeatSeconds?: number;
  /** Default: 64. */
  readonly maxBoards?: number;
  /** That are told of one board, or by this one. Default: 10,000. */
  readonly maxServices?: number;
}

/** Throws a `RangeError` if an option cannot be used, or a `FilterSyntaxError`. */
export function federationGateway(options: FederationGatewayOptions, context: GatewayContext): Gateway {
  return new FederationGateway(options, context);
}

/** The name again. Throws a `RangeError`: see `FEDERATION_NAME`. */
export function checkedFederationName(name: string): string {
  if (FEDERATION_NAME.test(name)) return name;
  throw new RangeError(`${JSON.stringify(name.slice(0, 80))} is no name (1 to 64 of A-Z a-z 0-9 . _ - are accepted)`);
}

/** A host's name as the name of a board: what a topic level may not contain becomes `-`. */
export function boardNamed(host: string): string {
  return host.replace(/[^A-Za-z0-9._-]+/g, "-").slice(0, 64) || "board";
}

class FederationGateway implements Gateway {
  readonly name: string;
  private readonly connection: BrokerConnection;
  private readonly federation: Federation;
  private readonly clock: Clock;
  private phase: GatewayState["state"] = "starting";
  private lastError: GatewayState["lastError"];

  constructor(options: FederationGatewayOptions, context: GatewayContext) {
    const { directory, clock, timers, random } = context;
    this.clock = clock;
    const log = this.noting(context.log);
    const name = checkedFederationName(options.name ?? "site");
    const board = checkedFederationName(options.board ?? boardNamed(hostname()));
    const { root = "pf1", filter, maxBoards = 64, maxServices: maxServicesPerBoard = 10_000 } = options;
    const { heartbeatSeconds = HEARTBEAT.defaultSeconds } = options;
    this.federation = new Federation(
      { name, board, root, filter, heartbeatSeconds, maxBoards, maxServicesPerBoard },
      {
        ...{ directory, clock, timers, random, log },
        // At least once: a record that is lost would be missing until the next change of it.
        publish: (topic, payload, messageExpirySeconds) =>
          this.connection.publish(topic, payload, {
            qos: 1,
            retain: true,
            ...(messageExpirySeconds === undefined ? {} : { messageExpirySeconds }),
          }),
        replay: () => this.connection.renew(this.federation.topics.filters[0]),
      },
    );
    const { will, topics, instance } = this.federation;
    this.connection = new BrokerConnection(
      {
        ...options,
        // Boards that have the same name by mistake are not to throw each other out all the time.
        clientId: options.clientId ?? `pathfinder-edge-${name}-${board}-${instance}`,
        keepaliveSeconds: Math.max(5, options.keepaliveSeconds ?? 60),
        will: () => ({ ...will, retain: true, qos: 1 }),
      },
      topics.filters.map((filter) => ({ filter, qos: 1 })),
      {
        up: () => {
          if (this.phase !== "stopped") this.phase = "running";
          this.federation.connected();
        },
        down: () => {
          if (this.phase !== "stopped") this.phase = "waiting";
          this.federation.disconnected();
        },
        message: (topic, payload, { retained }) => this.federation.message(topic, payload, retained),
        leftOut: () => this.federation.dropped.add("message larger than 1 MiB"),
      },
      { clock, timers, random, log },
    );
    this.name = `federation ${name}`;
    this.federation.follow();
  }

  start(): void {
    this.connection.start();
  }

  /** The log, of which the last warning is kept. */
  private noting(log: Logger): Logger {
    const note = (text: () => string) => {
      this.lastError = { text: text(), unixSeconds: Math.floor(this.clock.unixSeconds()) };
    };
    return {
      ...log,
      warning: (text) => {
        note(text);
        log.warning(text);
      },
    };
  }

  state(): GatewayState {
    const { counts, dropped, isHeard } = this.federation;
    const { phase, lastError } = this;
    const state = phase === "running" && !isHeard ? "waiting" : phase;
    return { state, counts, dropped: dropped.counts, ...(lastError ? { lastError } : {}) };
  }

  async stop(): Promise<void> {
    this.phase = "stopped";
    this.federation.stop();
    await this.connection.stop();
  }
}
