/** Messages as they are handed to a link for sending: the form of dns-packet, with names in the text form of names.ts. */

import type { QueryMessage } from "./questions.js";

export interface OutgoingQuestion {
  readonly name: string;
  /** `ANY` and `UNKNOWN_n` included: a legacy answer repeats the question. */
  readonly type: string;
  readonly class?: string | undefined;
  readonly qu?: boolean | undefined;
}

/** What `data` is depends on the type, as in dns-packet. */
export interface OutgoingRecord {
  readonly name: string;
  readonly type: string;
  readonly ttl: number;
  /** The cache-flush bit. */
  readonly flush?: boolean | undefined;
  readonly data: unknown;
}

export interface OutgoingMessage {
  readonly type: "query" | "response";
  /** 0, but for a legacy answer. */
  readonly id?: number | undefined;
  /** An answer to a plain resolver (RFC 6762, 6.7). */
  readonly isLegacy?: boolean | undefined;
  readonly truncated?: boolean | undefined;
  readonly questions?: readonly OutgoingQuestion[] | undefined;
  readonly answers?: readonly OutgoingRecord[] | undefined;
  readonly authorities?: readonly OutgoingRecord[] | undefined;
  readonly additionals?: readonly OutgoingRecord[] | undefined;
}

/** The browser's questions with what it knows already. */
export function browserQuery({ questions, answers, truncated }: QueryMessage): OutgoingMessage {
  return {
    type: "query",
    truncated,
    questions: questions.map(({ name, type }) => ({ name, type })),
    answers: answers.map(({ name, target, ttlSeconds }) => ({ name, type: "PTR", ttl: ttlSeconds, data: target })),
  };
}
