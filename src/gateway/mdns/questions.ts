/** Questions, and the packing of them with their known answers into messages that fit (RFC 6762, 7.1 and 7.2). */

import { nameBytes, nameKey } from "./names.js";
import type { RecordType } from "./records.js";

export interface Question {
  readonly name: string;
  readonly type: RecordType;
}

/** A PTR record that we know already, so that nobody needs to tell us. */
export interface KnownAnswer {
  readonly name: string;
  readonly target: string;
  readonly ttlSeconds: number;
}

export interface QueryMessage {
  readonly questions: readonly Question[];
  readonly answers: readonly KnownAnswer[];
  /** The TC bit: more known answers follow in the next message. */
  readonly truncated: boolean;
}

/** Below the MTU of Ethernet with room for IPv6 and UDP headers. */
export const MESSAGE_BYTES_LIMIT = 1400;
/** Known answers that do not fit into so many messages are left out; their owners then tell us again. */
const CHAIN_LIMIT = 32;
const HEADER_BYTES = 12;

export function questionKey({ type, name }: { readonly type: string; readonly name: string }): string {
  return `${type} ${nameKey(name)}`;
}

const questionBytes = (question: Question) => nameBytes(question.name).length + 4;
const answerBytes = (answer: KnownAnswer) => nameBytes(answer.name).length + nameBytes(answer.target).length + 10;

/** As few messages as the simple order allows: questions share one while they fit with all their known answers. */
export function packQuestions(
  questions: readonly Question[],
  knownAnswers: (question: Question) => readonly KnownAnswer[],
): QueryMessage[] {
  const messages: QueryMessage[] = [];
  let open: { questions: Question[]; answers: KnownAnswer[]; bytes: number } | undefined;
  const close = () => {
    if (open) messages.push({ questions: open.questions, answers: open.answers, truncated: false });
    open = undefined;
  };
  for (const question of questions) {
    const answers = knownAnswers(question);
    const bytes = answers.reduce((sum, answer) => sum + answerBytes(answer), questionBytes(question));
    if (HEADER_BYTES + bytes > MESSAGE_BYTES_LIMIT) {
      messages.push(...chain(question, answers));
      continue;
    }
    if (open && open.bytes + bytes > MESSAGE_BYTES_LIMIT) close();
    open ??= { questions: [], answers: [], bytes: HEADER_BYTES };
    open.questions.push(question);
    open.answers.push(...answers);
    open.bytes += bytes;
  }
  close();
  return messages;
}

/** One question whose known answers need several messages: all but the last carry TC, only the first the question. */
function chain(question: Question, answers: readonly KnownAnswer[]): QueryMessage[] {
  const parts: KnownAnswer[][] = [[]];
  let bytes = HEADER_BYTES + questionBytes(question);
  for (const answer of answers) {
    if (bytes + answerBytes(answer) > MESSAGE_BYTES_LIMIT) {
      if (parts.length === CHAIN_LIMIT) break;
      parts.push([]);
      bytes = HEADER_BYTES;
    }
    parts.at(-1)!.push(answer);
    bytes += answerBytes(answer);
  }
  return parts.map((part, i) => ({
    questions: i === 0 ? [question] : [],
    answers: part,
    truncated: i < parts.length - 1,
  }));
}
