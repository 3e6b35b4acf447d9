/** Lines of a pipe or a file, or of a terminal that edits them itself. The prompt is printed all the same, as the reference does. */

import type { Readable } from "node:stream";
import { UsageError } from "../usage-error.js";
import type { LineSource } from "./line-source.js";

/** Bytes; many times what the longest message holds. */
const LONGEST_LINE = 1_048_576;

const LINE_FEED = 0x0a;

export class PlainLines implements LineSource {
  private readonly lines: AsyncGenerator<string>;
  private closed = false;

  constructor(
    private readonly input: Readable,
    private readonly showPrompt: () => void,
  ) {
    this.lines = readLines(input);
  }

  async next(): Promise<string | undefined> {
    this.showPrompt();
    const { value, done } = await this.lines.next();
    if (this.closed) return new Promise(() => {}); // nobody wants the end that this is
    return done ? undefined : value;
  }

  around(print: () => void): void {
    print();
  }

  close(): void {
    this.closed = true;
    this.input.destroy();
  }
}

/** Rejects with a `UsageError` if a line is too long or the input can not be read. */
async function* readLines(input: Readable): AsyncGenerator<string> {
  let rest = Buffer.alloc(0);
  try {
    for await (const chunk of input) {
      rest = Buffer.concat([rest, chunk as Buffer]);
      let start = 0;
      for (let end = rest.indexOf(LINE_FEED); end >= 0; end = rest.indexOf(LINE_FEED, start)) {
        yield rest.toString("utf8", start, end);
        start = end + 1;
      }
      rest = rest.subarray(start);
      if (rest.length > LONGEST_LINE) throw new UsageError([`A line has more than ${LONGEST_LINE} bytes.`]);
    }
  } catch (error) {
    if (error instanceof UsageError) throw error;
    throw new UsageError([`Standard input can not be read: ${(error as Error).message}.`]);
  }
  if (rest.length > 0) yield rest.toString("utf8");
}
