/** mqtt.js as far as it is used: loaded when the first broker is, and what it calls things. */

import type MqttClient from "mqtt/lib/client";
import type { IPublishPacket } from "mqtt/lib/client";
import type { PublishOptions } from "./publish-size.js";

/** What came with a message besides topic and payload. Without MQTT 5 there are no properties. */
export interface Received {
  /** The broker had kept it: its age is unknown. */
  readonly retained: boolean;
  /** A name that was given several times has a list. */
  readonly userProperties: Readonly<Record<string, string | readonly string[]>>;
  readonly responseTopic?: string;
  readonly correlationData?: Uint8Array;
}

const NO_PROPERTIES: Received["userProperties"] = Object.freeze({});

export function receivedWith({ retain, properties }: IPublishPacket): Received {
  const { userProperties, responseTopic, correlationData } = properties ?? {};
  return {
    retained: retain,
    userProperties: userProperties ?? NO_PROPERTIES,
    ...(responseTopic === undefined ? {} : { responseTopic }),
    ...(correlationData === undefined ? {} : { correlationData }),
  };
}

export function publishProperties({
  responseTopic,
  correlationData,
  messageExpirySeconds,
  userProperties,
}: PublishOptions) {
  return {
    ...(responseTopic === undefined ? {} : { responseTopic }),
    ...(correlationData === undefined ? {} : { correlationData: Buffer.from(correlationData) }),
    ...(messageExpirySeconds === undefined ? {} : { messageExpiryInterval: messageExpirySeconds }),
    ...(userProperties === undefined ? {} : { userProperties: { ...userProperties } }),
  };
}

/** The smallest part of mqtt.js that does it, loaded when the first broker is used. */
export async function loadMqttClient(): Promise<typeof MqttClient> {
  const loaded: unknown = (await import("mqtt/lib/client")).default;
  // Node gives the CommonJS module as the default, esbuild the default it declares
  const Client = typeof loaded === "function" ? loaded : (loaded as { default: unknown }).default;
  return Client as typeof MqttClient;
}
