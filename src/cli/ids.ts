/** Ids as they are typed and shown: 63 bits in hexadecimal (pafd-and-pafc.md, 3.1). */

import { UINT63_MAX } from "../core/uint63.js";
import { UsageError } from "./usage-error.js";

export { randomId } from "../client/random-id.js";

export const hex = (id: bigint): string => id.toString(16);

/** With or without `0x`; `undefined` if it is none. */
export function readId(text: string): bigint | undefined {
  const digits = /^(?:0x)?([0-9a-f]{1,64})$/i.exec(text)?.[1];
  const id = digits === undefined ? undefined : BigInt(`0x${digits}`);
  return id !== undefined && id <= UINT63_MAX ? id : undefined;
}

/** The same, but throws a `UsageError`. */
export function parseId(text: string): bigint {
  const id = readId(text);
  if (id !== undefined) return id;
  throw new UsageError([`'${text}' is not a valid id (hexadecimal, 0 to ${hex(UINT63_MAX)}).`]);
}
