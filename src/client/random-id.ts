/** Ids of clients, services and subscriptions. */

import { randomBytes } from "node:crypto";

/** Of 63 bits (0 … 2^63-1), from the operating system. */
export function randomId(): bigint {
  return randomBytes(8).readBigUInt64BE() >> 1n;
}
