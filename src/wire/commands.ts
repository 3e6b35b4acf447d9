/**
 * The protocol's vocabulary as tables (pathfinder-protocol.md, 3 to 6): fields, message types, and each command with
 * the fields that its messages must and may carry, and the version it came with. Scanner and writer are driven by it.
 */

/** The oldest protocol version that is known. */
export const MIN_VERSION = 2;
/** The newest one. */
export const MAX_VERSION = 3;

/** How a field's value is written (3.2). */
export type FieldKind = "word" | "uint63" | "number" | "text" | "props";

/** Every field (5); its position is its number. */
export const FIELDS = [
  ["ta-cmd", "word"],
  ["ta-id", "uint63"],
  ["msg-type", "word"],
  ["fail-reason", "text"],
  ["client-id", "uint63"],
  ["protocol-minimum-version", "uint63"],
  ["protocol-maximum-version", "uint63"],
  ["protocol-version", "uint63"],
  ["track-type", "word"],
  ["subscription-id", "uint63"],
  ["filter", "text"],
  ["match-type", "word"],
  ["service-id", "uint63"],
  ["generation", "uint63"],
  ["service-props", "props"],
  ["ttl", "uint63"],
  ["orphan-since", "number"],
  ["client-address", "text"],
  ["time", "uint63"],
  ["idle", "number"],
  ["latency", "number"],
] as const satisfies readonly (readonly [string, FieldKind])[];

export type FieldName = (typeof FIELDS)[number][0];

const number = (name: FieldName): number => FIELDS.findIndex(([other]) => other === name);

export const F = {
  command: number("ta-cmd"),
  taId: number("ta-id"),
  type: number("msg-type"),
  failReason: number("fail-reason"),
  clientId: number("client-id"),
  minimumVersion: number("protocol-minimum-version"),
  maximumVersion: number("protocol-maximum-version"),
  version: number("protocol-version"),
  trackType: number("track-type"),
  subscriptionId: number("subscription-id"),
  filter: number("filter"),
  matchType: number("match-type"),
  serviceId: number("service-id"),
  generation: number("generation"),
  props: number("service-props"),
  ttl: number("ttl"),
  orphanSince: number("orphan-since"),
  clientAddress: number("client-address"),
  time: number("time"),
  idle: number("idle"),
  latency: number("latency"),
} as const;

export const MESSAGE_TYPES = ["request", "accept", "notify", "inform", "complete", "fail"] as const;
export type MessageType = (typeof MESSAGE_TYPES)[number];
export const REQUEST = 0;
export const ACCEPT = 1;
export const NOTIFY = 2;
export const INFORM = 3;
export const COMPLETE = 4;
export const FAIL = 5;

export const TRACK_TYPES = ["query", "reply"] as const;
export const TRACK_QUERY = 0;
export const TRACK_REPLY = 1;

/** In the order of core's APPEARED, MODIFIED, DISAPPEARED. */
export const MATCH_TYPES = ["appeared", "modified", "disappeared"] as const;

interface MessageFields {
  readonly must: readonly FieldName[];
  readonly may: readonly FieldName[];
}

interface CommandDefinition {
  readonly name: string;
  /** The first protocol version that has it. */
  readonly since: number;
  readonly messages: { readonly [type in MessageType]?: MessageFields };
}

const fields = (must: readonly FieldName[] = [], may: readonly FieldName[] = []): MessageFields => ({ must, may });
const fail = fields([], ["fail-reason"]);

const command = (name: string, since: number, messages: CommandDefinition["messages"]): CommandDefinition => ({
  name,
  since,
  messages: { ...messages, fail },
});

const SERVICE: readonly FieldName[] = ["service-id", "generation", "service-props", "ttl", "client-id"];

/** Every command (6); its position is its number. */
export const COMMANDS: readonly CommandDefinition[] = [
  command("hello", 2, {
    request: fields(["client-id", "protocol-minimum-version", "protocol-maximum-version"]),
    complete: fields(["protocol-version"]),
  }),
  command("track", 3, {
    request: fields(),
    accept: fields(),
    notify: fields(["track-type"]),
    inform: fields(["track-type"]),
    complete: fields(),
  }),
  command("subscribe", 2, {
    request: fields(["subscription-id"], ["filter"]),
    accept: fields(),
    notify: fields(["match-type", "service-id"], ["generation", "service-props", "ttl", "client-id", "orphan-since"]),
    complete: fields(),
  }),
  command("unsubscribe", 2, { request: fields(["subscription-id"]), complete: fields() }),
  command("subscriptions", 2, {
    request: fields(),
    accept: fields(),
    notify: fields(["subscription-id", "client-id"], ["filter"]),
    complete: fields(),
  }),
  command("services", 2, {
    request: fields([], ["filter"]),
    accept: fields(),
    notify: fields(SERVICE, ["orphan-since"]),
    complete: fields(),
  }),
  command("publish", 2, {
    request: fields(["service-id", "generation", "service-props", "ttl"]),
    complete: fields(),
  }),
  command("unpublish", 2, { request: fields(["service-id"]), complete: fields() }),
  command("clients", 2, {
    request: fields(),
    accept: fields(),
    // The last three came with version 3; a version 2 asker does not get them (6.9).
    notify: fields(["client-id", "client-address", "time"], ["idle", "protocol-version", "latency"]),
    complete: fields(),
  }),
  command("ping", 2, { request: fields(), complete: fields() }),
];

const commandNumber = (name: string): number => COMMANDS.findIndex((definition) => definition.name === name);

export const HELLO = commandNumber("hello");
export const TRACK = commandNumber("track");
export const SUBSCRIBE = commandNumber("subscribe");
export const UNSUBSCRIBE = commandNumber("unsubscribe");
export const SUBSCRIPTIONS = commandNumber("subscriptions");
export const SERVICES = commandNumber("services");
export const PUBLISH = commandNumber("publish");
export const UNPUBLISH = commandNumber("unpublish");
export const CLIENTS = commandNumber("clients");
export const PING = commandNumber("ping");

export type CommandName =
  | "hello"
  | "track"
  | "subscribe"
  | "unsubscribe"
  | "subscriptions"
  | "services"
  | "publish"
  | "unpublish"
  | "clients"
  | "ping";

const bits = (names: readonly FieldName[]): number => names.reduce((mask, name) => mask | (1 << number(name)), 0);
const COMMON = bits(["ta-cmd", "ta-id", "msg-type"]);

/** Bit masks of the fields that a message must have and may have; index = command * 6 + message type; -1: no such message. */
export const MUST = new Int32Array(COMMANDS.length * MESSAGE_TYPES.length).fill(-1);
export const ALLOWED = new Int32Array(COMMANDS.length * MESSAGE_TYPES.length).fill(-1);
COMMANDS.forEach((definition, index) => {
  MESSAGE_TYPES.forEach((type, typeIndex) => {
    const message = definition.messages[type];
    if (!message) return;
    MUST[index * MESSAGE_TYPES.length + typeIndex] = COMMON | bits(message.must);
    ALLOWED[index * MESSAGE_TYPES.length + typeIndex] = COMMON | bits(message.must) | bits(message.may);
  });
});

/** Names of the fields whose bits are set, for error texts. */
export const fieldNames = (mask: number): string =>
  FIELDS.filter((_, index) => (mask & (1 << index)) !== 0)
    .map(([name]) => `"${name}"`)
    .join(", ");
