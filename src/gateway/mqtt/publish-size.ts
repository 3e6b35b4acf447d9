/** How large a PUBLISH packet is, counted before it is sent: a packet that a broker refuses ends the connection. */

import { byteLength } from "../../core/text.js";

/** What a publish may carry besides topic and payload. The last four exist in MQTT 5 only and are left out in 3.1.1. */
export interface PublishOptions {
  readonly retain?: boolean;
  readonly qos?: 0 | 1;
  readonly responseTopic?: string;
  readonly correlationData?: Uint8Array;
  readonly messageExpirySeconds?: number;
  readonly userProperties?: Readonly<Record<string, string>>;
}

/** Bytes of the whole packet, fixed header included, in that version of MQTT. */
export function publishPacketBytes(
  version: 4 | 5,
  topic: string,
  payload: string | Uint8Array,
  options: PublishOptions = {},
): number {
  const payloadBytes = typeof payload === "string" ? byteLength(payload) : payload.length;
  const identifier = options.qos === 1 ? 2 : 0;
  const properties = version === 5 ? propertyBytes(options) : 0;
  const propertyLength = version === 5 ? lengthBytes(properties) : 0;
  const rest = 2 + byteLength(topic) + identifier + propertyLength + properties + payloadBytes;
  return 1 + lengthBytes(rest) + rest;
}

function propertyBytes({ responseTopic, correlationData, messageExpirySeconds, userProperties }: PublishOptions) {
  let bytes = 0;
  if (responseTopic !== undefined) bytes += 3 + byteLength(responseTopic);
  if (correlationData !== undefined) bytes += 3 + correlationData.length;
  if (messageExpirySeconds !== undefined) bytes += 5;
  for (const [name, value] of Object.entries(userProperties ?? {})) bytes += 5 + byteLength(name) + byteLength(value);
  return bytes;
}

/** Bytes of a variable byte integer. */
function lengthBytes(value: number): number {
  return value < 128 ? 1 : value < 16_384 ? 2 : value < 2_097_152 ? 3 : 4;
}
