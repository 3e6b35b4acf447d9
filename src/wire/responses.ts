/**
 * The server's messages (pathfinder-protocol.md, 6), written into the caller's bytes. Each function returns the position
 * behind what it wrote; `MESSAGE_ROOM` bytes are enough for every message without texts.
 */

import type { ServiceEntry } from "../core/entries.js";
import type { FailReason } from "../core/fail-reason.js";
import { recordJsonLength } from "../core/record.js";
import type { ServiceDirectory } from "../core/service-directory.js";
import {
  CLIENTS,
  COMMANDS,
  HELLO,
  MATCH_TYPES,
  SERVICES,
  SUBSCRIBE,
  SUBSCRIPTIONS,
  TRACK,
  TRACK_TYPES,
} from "./commands.js";
import { ascii, writeBytes, writeNumber, writeProperties, writeString, writeUint63 } from "./json-writer.js";

/** Room for a message's constant parts and numbers. */
export const MESSAGE_ROOM = 400;

const HEADS = COMMANDS.map(({ name }) => ascii(`{"ta-cmd":"${name}","ta-id":`));
const COMPLETE_TAIL = ascii(',"msg-type":"complete"}');
const ACCEPT_TAIL = ascii(',"msg-type":"accept"}');
const FAIL_TAIL = ascii(',"msg-type":"fail","fail-reason":"');
const VERSION_TAIL = ascii(',"msg-type":"complete","protocol-version":');
const TRACK_TAILS = TRACK_TYPES.map((type) => ascii(`,"msg-type":"notify","track-type":"${type}"}`));
const MATCH_TAILS = MATCH_TYPES.map((type) => ascii(`,"msg-type":"notify","match-type":"${type}","service-id":`));
const SERVICE_TAIL = ascii(',"msg-type":"notify","service-id":');
const SUBSCRIPTION_TAIL = ascii(',"msg-type":"notify","subscription-id":');
const CLIENT_TAIL = ascii(',"msg-type":"notify","client-id":');
const GENERATION = ascii(',"generation":');
const SERVICE_PROPS = ascii(',"service-props":');
const TTL = ascii(',"ttl":');
const CLIENT_ID = ascii(',"client-id":');
const ORPHAN_SINCE = ascii(',"orphan-since":');
const FILTER = ascii(',"filter":');
const CLIENT_ADDRESS = ascii(',"client-address":');
const TIME = ascii(',"time":');
const IDLE = ascii(',"idle":');
const VERSION = ascii(',"protocol-version":');
const LATENCY = ascii(',"latency":');
const CLOSE = 0x7d;

function head(bytes: Uint8Array, at: number, command: number, taHi: number, taLo: number, tail: Uint8Array): number {
  return writeBytes(bytes, writeUint63(bytes, writeBytes(bytes, at, HEADS[command]), taHi, taLo), tail);
}

export function writeComplete(bytes: Uint8Array, at: number, command: number, taHi: number, taLo: number): number {
  return head(bytes, at, command, taHi, taLo, COMPLETE_TAIL);
}

export function writeAccept(bytes: Uint8Array, at: number, command: number, taHi: number, taLo: number): number {
  return head(bytes, at, command, taHi, taLo, ACCEPT_TAIL);
}

export function writeFail(
  bytes: Uint8Array,
  at: number,
  command: number,
  taHi: number,
  taLo: number,
  reason: FailReason,
): number {
  let to = head(bytes, at, command, taHi, taLo, FAIL_TAIL);
  for (let i = 0; i < reason.length; i++) bytes[to++] = reason.charCodeAt(i);
  bytes[to++] = 0x22;
  bytes[to++] = CLOSE;
  return to;
}

export function writeHelloComplete(bytes: Uint8Array, at: number, taHi: number, taLo: number, version: number): number {
  let to = head(bytes, at, HELLO, taHi, taLo, VERSION_TAIL);
  bytes[to++] = 48 + version;
  bytes[to++] = CLOSE;
  return to;
}

export function writeTrackNotify(bytes: Uint8Array, at: number, taHi: number, taLo: number, trackType: number): number {
  return head(bytes, at, TRACK, taHi, taLo, TRACK_TAILS[trackType]);
}

/** A match, without the state of the service: complete for `disappeared`, else `writeServiceState` follows. */
export function writeMatch(
  bytes: Uint8Array,
  at: number,
  taHi: number,
  taLo: number,
  matchType: number,
  service: ServiceEntry,
): number {
  return writeUint63(bytes, head(bytes, at, SUBSCRIBE, taHi, taLo, MATCH_TAILS[matchType]), service.idHi, service.idLo);
}

/** The beginning of a `services` notification; `writeServiceState` follows. */
export function writeService(bytes: Uint8Array, at: number, taHi: number, taLo: number, service: ServiceEntry): number {
  return writeUint63(bytes, head(bytes, at, SERVICES, taHi, taLo, SERVICE_TAIL), service.idHi, service.idLo);
}

/** Ends a message that has nothing more to say. */
export function writeClose(bytes: Uint8Array, at: number): number {
  bytes[at] = CLOSE;
  return at + 1;
}

/** Most bytes that `writeServiceState` writes for this service. */
export function serviceStateRoom(directory: ServiceDirectory, service: ServiceEntry): number {
  return recordJsonLength(directory.store.page(service.record), directory.store.at(service.record)) + MESSAGE_ROOM;
}

/** The part of a notification that describes a service, with the closing brace: the same for everybody who is told. */
export function writeServiceState(
  bytes: Uint8Array,
  at: number,
  directory: ServiceDirectory,
  service: ServiceEntry,
): number {
  let to = writeUint63(bytes, writeBytes(bytes, at, GENERATION), service.generationHi, service.generationLo);
  to = writeBytes(bytes, to, SERVICE_PROPS);
  to = writeProperties(bytes, to, directory.store.page(service.record), directory.store.at(service.record));
  to = writeUint63(bytes, writeBytes(bytes, to, TTL), service.ttlHi, service.ttlLo);
  to = writeUint63(bytes, writeBytes(bytes, to, CLIENT_ID), service.owner.idHi, service.owner.idLo);
  if (service.isOrphan) to = writeNumber(bytes, writeBytes(bytes, to, ORPHAN_SINCE), service.orphanSinceUnix);
  return writeClose(bytes, to);
}

/** A `subscriptions` notification; `filter` is the canonical text, absent if there is none. Room: six bytes per byte. */
export function writeSubscription(
  bytes: Uint8Array,
  at: number,
  taHi: number,
  taLo: number,
  subscription: { readonly idHi: number; readonly idLo: number; readonly client: { idHi: number; idLo: number } },
  filter: Uint8Array | undefined,
): number {
  let to = head(bytes, at, SUBSCRIPTIONS, taHi, taLo, SUBSCRIPTION_TAIL);
  to = writeUint63(bytes, to, subscription.idHi, subscription.idLo);
  to = writeUint63(bytes, writeBytes(bytes, to, CLIENT_ID), subscription.client.idHi, subscription.client.idLo);
  if (filter) to = writeString(bytes, writeBytes(bytes, to, FILTER), filter, 0, filter.length);
  return writeClose(bytes, to);
}

export interface ClientListing {
  readonly idHi: number;
  readonly idLo: number;
  readonly address: Uint8Array;
  readonly connectedAtUnix: number;
  readonly idleSeconds: number;
  readonly version: number;
  readonly latencySeconds: number | undefined;
}

/** A `clients` notification, in the form for an asker that speaks `askerVersion` (6.9). */
export function writeClient(
  bytes: Uint8Array,
  at: number,
  taHi: number,
  taLo: number,
  client: ClientListing,
  askerVersion: number,
): number {
  let to = writeUint63(bytes, head(bytes, at, CLIENTS, taHi, taLo, CLIENT_TAIL), client.idHi, client.idLo);
  to = writeString(bytes, writeBytes(bytes, to, CLIENT_ADDRESS), client.address, 0, client.address.length);
  to = writeNumber(bytes, writeBytes(bytes, to, TIME), Math.floor(client.connectedAtUnix));
  if (askerVersion >= 3) {
    to = writeNumber(bytes, writeBytes(bytes, to, IDLE), client.idleSeconds);
    to = writeNumber(bytes, writeBytes(bytes, to, VERSION), client.version);
    if (client.latencySeconds !== undefined) {
      to = writeNumber(bytes, writeBytes(bytes, to, LATENCY), client.latencySeconds);
    }
  }
  return writeClose(bytes, to);
}
