/** What can be configured of one broker, and the names that a gateway has where nothing is said. */

import { createHash } from "node:crypto";
import type { BrokerTls } from "./broker-options.js";
import type { ConventionsOptions } from "./conventions/conventions.js";
import type { OnLoss } from "./devices.js";
import type { MirrorRule } from "./native/known-services.js";
import { NAME_PATTERN } from "./topics.js";

/** What the configuration says of one broker. Only `url` is needed. */
export interface MqttGatewayOptions {
  /** `mqtt://host[:1883]` or `mqtts://host[:8883]`. */
  readonly url: string;
  readonly user?: string;
  /** One of both at most. `passwordFile`: its first line, read at each attempt to connect. */
  readonly password?: string;
  readonly passwordFile?: string;
  readonly tls?: BrokerTls;
  /** Default: see `defaultClientId`. Two clients with the same one throw each other out. */
  readonly clientId?: string;
  /** A hung broker is noticed within 1.5 times this. Default: 60, 5 at least. */
  readonly keepaliveSeconds?: number;
  /** The topic below which devices announce themselves. Default: `sd1`. */
  readonly root?: string;
  /** Gateways of one site give a device the same id. Default: `local`. */
  readonly site?: string;
  /** For kinds not named in `onLossOfKind`. Default: `withdraw`. */
  readonly onLoss?: OnLoss;
  readonly onLossOfKind?: Readonly<Record<string, OnLoss>>;
  /** Remove what the broker keeps of devices long gone: this writes to the broker. Default: false. */
  readonly clearStale?: boolean;
  /** Default: 10,000. */
  readonly maxDevices?: number;
  /** The largest packet that the broker takes; an MQTT 5 broker tells. Default: 1,048,576 bytes. */
  readonly brokerMaxPacketBytes?: number;
  /** The largest packet that devices take. Default: 256 bytes. */
  readonly maxPacketBytes?: number;
  /** Several gateways share the work. Given anyway if there is a mirror or queries. */
  readonly presence?: PresenceSettings;
  /** What of the directory is mirrored for devices: this writes to the broker. Default: nothing. */
  readonly mirror?: readonly MirrorRule[];
  /** What else is read than the native convention. Default: nothing else. */
  readonly conventions?: ConventionsOptions;
  /** Devices of these conventions are asked to announce themselves: this writes to the broker. Default: false. */
  readonly ask?: boolean;
  /** Answers queries of devices: this writes to the broker. `filter`: what they may find. Default: no answers. */
  readonly queries?: { readonly filter?: string };
}

export interface PresenceSettings {
  /** 1 to 20 of `A-Z a-z 0-9 _ -`; different for each gateway at the broker. Default: made from the host name. */
  readonly name?: string;
  /** 0 to 255: only gateways of the highest priority act; the others stand by. Default: 10. */
  readonly priority?: number;
  /**
   * `shared`: the gateways serve one directory (or directories that are joined), and each device is published by one of
   * them. `own`: each serves its own directory, and publishes all devices there. Default: `shared`.
   */
  readonly directory?: "shared" | "own";
}

/** A name that a gateway can have, made from that of its host: the same one, or the begin of it and a hash. */
export function gatewayName(hostName: string): string {
  if (NAME_PATTERN.test(hostName)) return hostName;
  return `${hostName.replace(/[^A-Za-z0-9_-]/g, "-").slice(0, 13)}-${shortHash(hostName)}`;
}

/**
 * `pathfinder-edge-<site>-<host name>`, and six hexadecimal digits of a hash where root or presence name are not the
 * usual ones: gateways of one host that differ in them may use the same broker.
 */
export function defaultClientId(
  { site = "local", root = "sd1", presence }: Pick<MqttGatewayOptions, "site" | "root" | "presence">,
  hostName: string,
): string {
  const usual = `pathfinder-edge-${site}-${hostName}`;
  const name = presence?.name ?? gatewayName(hostName);
  if (root === "sd1" && name === gatewayName(hostName)) return usual;
  return `${usual}-${shortHash(`${root}\0${name}`)}`;
}

const shortHash = (text: string): string => createHash("sha256").update(text, "utf8").digest("hex").slice(0, 6);
