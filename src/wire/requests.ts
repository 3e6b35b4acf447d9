/** The client's messages (pathfinder-protocol.md, 6) as bytes. Not a hot path: a client sends few of them. */

import type { Properties, PropertyValue } from "../core/properties.js";
import { encodeText } from "../core/text.js";
import { COMMANDS, type FieldName, type MessageType } from "./commands.js";

export type RequestFields = { readonly [field in FieldName]?: bigint | string | Properties };

/** A message with the given command, type and fields. Integers are written to the last digit. */
export function encodeMessage(
  command: number,
  taId: bigint,
  type: MessageType,
  fields: RequestFields = {},
): Uint8Array {
  const parts = [`"ta-cmd":"${COMMANDS[command].name}"`, `"ta-id":${taId}`, `"msg-type":"${type}"`];
  for (const [name, value] of Object.entries(fields)) {
    if (value !== undefined) parts.push(`"${name}":${jsonValue(value)}`);
  }
  return encodeText(`{${parts.join(",")}}`);
}

function jsonValue(value: bigint | string | Properties): string {
  if (typeof value !== "object") return jsonScalar(value);
  return `{${[...value].map(([name, values]) => `${JSON.stringify(name)}:[${values.map(jsonScalar).join(",")}]`).join(",")}}`;
}

/** `JSON.stringify` writes unpaired surrogates as escapes, as the protocol needs them. */
function jsonScalar(value: PropertyValue): string {
  return typeof value === "bigint" ? String(value) : JSON.stringify(value);
}
