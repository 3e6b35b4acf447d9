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
  return packetBytes(variableBytes(version, topic, options), bytesOf(payload));
}

/** The longest payload with which the packet has at most `maxBytes`; negative if it is too large without any. */
export function payloadRoom(version: 4 | 5, topic: string, options: PublishOptions, maxBytes: number): number {
  const header = variableBytes(version, topic, options);
  let room = maxBytes - packetBytes(header, 0);
  while (room > 0 && packetBytes(header, room) > maxBytes) room--; // the length itself may take more bytes
  return room;
}

const bytesOf = (payload: string | Uint8Array) => (typeof payload === "string" ? byteLength(payload) : payload.length);

/** Bytes of the variable header: topic, identifier, properties. */
function variableBytes(version: 4 | 5, topic: string, options: PublishOptions): number {
  const identifier = options.qos === 1 ? 2 : 0;
  const properties = version === 5 ? propertyBytes(options) : 0;
  return 2 + byteLength(topic) + identifier + (version === 5 ? lengthBytes(properties) + properties : 0);
}

function packetBytes(variable: number, payload: number): number {
  return 1 + lengthBytes(variable + payload) + variable + payload;
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
