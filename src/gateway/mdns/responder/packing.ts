/** Records and probes, put into as few messages as the simple order allows, each within the limit. */

import type { OutgoingMessage, OutgoingRecord } from "../messages.js";
import { MESSAGE_BYTES_LIMIT } from "../questions.js";
import type { Claim } from "./claim.js";
import { type OwnRecord, recordBytes } from "./own-records.js";

const HEADER_BYTES = 12;
/** Of one reply: answers in further messages come without additional records. */
const MESSAGES_WITH_ADDITIONALS = 10;

/** Things in groups whose bytes fit into a message. One that is too large for any stands alone. */
function groups<T>(things: readonly T[], bytesOf: (thing: T) => number): T[][] {
  const result: T[][] = [];
  let bytes = Number.POSITIVE_INFINITY;
  for (const thing of things) {
    const size = bytesOf(thing);
    if (bytes + size > MESSAGE_BYTES_LIMIT) {
      result.push([]);
      bytes = HEADER_BYTES;
    }
    result.at(-1)!.push(thing);
    bytes += size;
  }
  return result;
}

export function outgoing({ name, type, ttlSeconds, isUnique, data }: OwnRecord): OutgoingRecord {
  return { name, type, ttl: ttlSeconds, flush: isUnique, data };
}

const questionBytes = ({ name }: Claim) => Buffer.byteLength(name) + 2 + 4;
const sum = (records: readonly OwnRecord[]) => records.reduce((bytes, record) => bytes + recordBytes(record), 0);

/** Bytes that probing for the name takes, at most. */
export const probeBytes = (claim: Claim) => questionBytes(claim) + sum(claim.unique);
export const PROBE_BYTES_LIMIT = MESSAGE_BYTES_LIMIT - HEADER_BYTES;

/**
 * Asks whether somebody has these names, and says what we would make of them (RFC 6762, 8.1). Not with the QU bit: bound
 * to the group's address, we would not hear the answer (avahi probes so, too).
 */
export function probes(claims: readonly Claim[]): OutgoingMessage[] {
  return groups(claims, probeBytes).map((group) => ({
    type: "query",
    questions: group.map(({ name }) => ({ name, type: "ANY" })),
    authorities: group.flatMap(({ unique }) => unique.map((record) => ({ ...outgoing(record), flush: false }))),
  }));
}

export function announcements(records: readonly OwnRecord[]): OutgoingMessage[] {
  return groups(records, recordBytes).map((group) => ({ type: "response", answers: group.map(outgoing) }));
}

/** `isPartial`: others of these names and types stay (somebody else's, or ours), and must not be flushed. */
export function goodbyes(records: readonly OwnRecord[], isPartial = false): OutgoingMessage[] {
  return announcements(records).map(({ answers = [], ...message }) => ({
    ...message,
    answers: answers.map((record) => ({ ...record, ttl: 0, flush: record.flush && !isPartial })),
  }));
}

/** Answers, with what the asker will want next as far as it fits. */
export function replies(
  answers: readonly OwnRecord[],
  additionalsOf: (answer: OwnRecord) => readonly OwnRecord[],
): { readonly message: OutgoingMessage; readonly records: readonly OwnRecord[] }[] {
  const answered = new Set(answers.map(({ key }) => key));
  const extras = new Map(
    answers.map((answer) => [answer, additionalsOf(answer).filter(({ key }) => !answered.has(key))]),
  );
  const rich = groups(answers, (answer) => recordBytes(answer) + sum(extras.get(answer)!));
  const plain = groups(rich.slice(MESSAGES_WITH_ADDITIONALS).flat(), recordBytes);
  const messages = [
    ...rich.slice(0, MESSAGES_WITH_ADDITIONALS).map((group) =>
      fitting(
        group,
        group.flatMap((answer) => extras.get(answer)!),
      ),
    ),
    ...plain.map((group) => ({ answers: group, additionals: [] })),
  ];
  return messages.map(({ answers: group, additionals }) => ({
    message: { type: "response", answers: group.map(outgoing), additionals: additionals.map(outgoing) },
    records: [...group, ...additionals],
  }));
}

/** Each additional record once; those of a single answer that do not fit beside it are left out. */
function fitting(answers: readonly OwnRecord[], wanted: readonly OwnRecord[]) {
  let bytes = HEADER_BYTES + sum(answers);
  const additionals = [...new Map(wanted.map((record) => [record.key, record])).values()].filter((record) => {
    if (bytes + recordBytes(record) > MESSAGE_BYTES_LIMIT) return false;
    bytes += recordBytes(record);
    return true;
  });
  return { answers, additionals };
}
