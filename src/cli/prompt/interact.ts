/** The interactive client: reads commands until the input, the session or the user's patience ends (pafd-and-pafc.md, 3.1). */

import { RequestError, type Session, SessionClosedError } from "../../client/session.js";
import { TransportError } from "../../transport/index.js";
import { Deadline } from "../deadline.js";
import { failureLines, refusalLine, TimeoutError } from "../failures.js";
import { type Interrupt, interruptedCode } from "../interrupts.js";
import type { Output, PafcIo } from "../output.js";
import { parseTyped } from "./command-word.js";
import { History, historyFile } from "./history.js";
import { LineEditor } from "./line-editor.js";
import { type LineSource, PROMPT } from "./line-source.js";
import { PlainLines } from "./plain-lines.js";
import { PromptCommands, type PromptOptions } from "./prompt-commands.js";

export interface InteractOptions extends Pick<PromptOptions, "session" | "clientId" | "versions" | "clock"> {
  readonly address: string;
  readonly timeoutSeconds: number;
  readonly output: Output;
  readonly io: PafcIo;
  /** Resolves when the user has had enough. */
  readonly interrupted: Promise<Interrupt>;
}

/** The reference ends itself by SIGTERM; this is how a shell sees that. */
const SERVER_GONE_CODE = interruptedCode("SIGTERM");
/** Where lines end that no terminal ends. */
const DEFAULT_WIDTH = 80;

/** Resolves to the exit code. Rejects with what `failureLines` knows, or with our bug. The session is the caller's to close. */
export async function interact(options: InteractOptions): Promise<number> {
  const { session, output, io, interrupted } = options;
  let onInterrupt = (_: Interrupt) => {};
  const enough = new Promise<Interrupt>((resolve) => {
    onInterrupt = resolve;
    void interrupted.then(resolve);
  });
  const lines = openLines(io, output, () => onInterrupt("SIGINT"));
  try {
    return await Promise.race([
      runLines(lines, options),
      enough.then(interruptedCode),
      output.ended.then(() => 0),
      endOf(session),
    ]);
  } catch (error) {
    if (!isServerGone(error)) throw error;
    lines.close();
    output.line("Server closed connection");
    return SERVER_GONE_CODE;
  } finally {
    lines.close();
  }
}

/** Lines are edited here on a terminal that can move its cursor; elsewhere they come as they are. */
function openLines(io: PafcIo, output: Output, onInterrupt: () => void): LineSource {
  const { stdin } = io;
  const isTerminal = stdin.isTTY === true && io.stdout.isTTY === true && io.env.TERM !== "dumb";
  if (isTerminal) return new LineEditor(stdin, io.stdout, new History(historyFile(io.env)), onInterrupt);
  return new PlainLines(stdin, () => output.write(PROMPT));
}

async function runLines(lines: LineSource, options: InteractOptions): Promise<number> {
  const { session, output, io, address, timeoutSeconds } = options;
  const print = (shown: readonly string[]) => lines.around(() => output.line(...shown));
  const commands = new PromptCommands({
    ...options,
    print,
    width: () => io.stdout.columns || DEFAULT_WIDTH,
    emphasize: (text) => output.paint("bold", text),
    bounded: async (answer) => {
      const deadline = new Deadline(timeoutSeconds, address);
      return deadline.bound(answer).finally(() => deadline.cancel());
    },
  });
  for (let line = await lines.next(); line !== undefined; line = await lines.next()) {
    await output.flushed(); // else the time in which nobody reads would count as the server's
    const typed = parseTyped(line);
    if (typed.line === "") continue;
    try {
      if ((await commands.run(typed)) === "leave") break;
    } catch (error) {
      const shown = error instanceof RequestError ? [refusalLine(error)] : failureLines(error);
      if (session.ended || shown === undefined || error instanceof TimeoutError) throw error;
      print(shown);
    }
  }
  output.line("");
  return 0;
}

/** Never resolves; rejects when the session has ended without us. */
function endOf(session: Session): Promise<never> {
  return new Promise((_, reject) => {
    void session.closed.then((error) => {
      if (error) reject(error);
    });
  });
}

const GONE_CODES = ["ECONNRESET", "EPIPE"];

function isServerGone(error: unknown): boolean {
  return error instanceof SessionClosedError || (error instanceof TransportError && GONE_CODES.includes(error.code));
}
