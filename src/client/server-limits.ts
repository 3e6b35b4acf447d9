/**
 * How much of this process's memory a server can claim, whatever it sends. The specification knows no such limits: an
 * honest server stays far below them. One that does not is left with a `ServerLimitError`; other servers do not notice.
 */

/** What one server may make this process hold; beyond a limit it is left with a `ServerLimitError`. */
export interface ServerLimits {
  /** Services that one server shows to one subscription, also those whose connection was lost and whose TTL is not over. */
  readonly matchedServices: number;
  /** Bytes of properties, as libpaf measures them (see `ServiceTooLargeError`), that one server shows to one subscription. */
  readonly matchedBytes: number;
  /** Elements of one answer to `services`, `subscriptions` or `clients`. */
  readonly listedElements: number;
  /** Bytes of the messages of one such answer. */
  readonly listedBytes: number;
  /** Replies to the server's track queries that it asks for but does not read. */
  readonly unreadReplies: number;
}

/** The limits that hold by default; an honest server stays far below them. */
export const SERVER_LIMITS: ServerLimits = {
  matchedServices: 100_000,
  matchedBytes: 64 * 1024 * 1024,
  listedElements: 1_000_000,
  listedBytes: 256 * 1024 * 1024,
  unreadReplies: 64,
};

const MEANING: Readonly<Record<keyof ServerLimits, string>> = {
  matchedServices: "services shown to one subscription",
  matchedBytes: "bytes of properties shown to one subscription",
  listedElements: "elements in one answer",
  listedBytes: "bytes in one answer",
  unreadReplies: "replies to track queries that the server does not read",
};

/** The server was left because it sent more than this process is willing to hold. */
export class ServerLimitError extends Error {
  override readonly name = "ServerLimitError";
  constructor(
    /** Of the server, as it was given or as XCM prints it. */
    readonly address: string,
    readonly limit: keyof ServerLimits,
    readonly max: number,
  ) {
    super(`${address}: too many ${MEANING[limit]} (at most ${max} accepted: ${limit})`);
  }
}

/** What is not given has its default. Throws a `RangeError` for what is no positive number. */
export function serverLimits(given: Partial<ServerLimits> = {}): ServerLimits {
  for (const [name, value] of Object.entries(given)) {
    if (value !== undefined && !(value > 0)) throw new RangeError(`limit ${name} is ${value} (above 0 accepted)`);
  }
  const set = Object.entries(given).filter(([, value]) => value !== undefined);
  return { ...SERVER_LIMITS, ...Object.fromEntries(set) };
}
