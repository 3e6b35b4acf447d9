/** The one-shot client command: `pafc ADDR COMMAND` does one thing at one server and exits (pafd-and-pafc.md, 3). */

import { MAX_VERSION, MIN_VERSION, Session } from "../client/session.js";
import type { Clock } from "../core/clock.js";
import { type Invocation, parseCommandLine } from "./command-line.js";
import { type CommandContext, runCommand } from "./commands.js";
import { Deadline } from "./deadline.js";
import { failureLines } from "./failures.js";
import { HELP } from "./help.js";
import { randomId } from "./ids.js";
import { Output, type PafcIo } from "./output.js";
import { terminalFor } from "./top/top.js";

export type { PafcIo } from "./output.js";

/** Of package.json; the bundler fills it in. */
declare const PATHFINDER_EDGE_VERSION: string;

const CLOCK: Clock = { monotonicMs: () => performance.now(), unixSeconds: () => Date.now() / 1000 };
/** XCM's; a longer --timeout gives each address of a name half of it. */
const CONNECT_TIMEOUT_MS = 3_000;
const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/**
 * Runs `pafc` with `argv` (without node and script). Resolves to the exit code, 0 or 1, when everything is written;
 * never rejects. Leaves no socket, timer or signal handler behind.
 */
export async function runPafc(argv: readonly string[], io: PafcIo): Promise<number> {
  const output = new Output(io, argv.includes("--json"));
  let code = 0;
  try {
    const invocation = parseCommandLine(argv);
    if (invocation.kind === "help") output.line(HELP);
    else if (invocation.kind === "version") output.line(versionText());
    else await run(invocation, output, io);
  } catch (error) {
    code = 1;
    const lines = failureLines(error);
    if (lines) output.error(lines);
    else output.internalError(`pafc: internal error: ${error instanceof Error ? error.stack : String(error)}`);
  }
  await output.flushed();
  const lost = output.failure;
  if (lost === undefined) return code;
  output.internalError(`pafc: standard output can not be written: ${lost.message}`);
  return 1;
}

function versionText(): string {
  const versions = Array.from({ length: MAX_VERSION - MIN_VERSION + 1 }, (_, i) => MIN_VERSION + i);
  return `Client version: ${PATHFINDER_EDGE_VERSION}\nProtocol version(s): ${versions.join(" ")}`;
}

async function run(invocation: Invocation, output: Output, io: PafcIo): Promise<void> {
  const { address, timeoutSeconds, versions, command } = invocation;
  if (command.name === "top") terminalFor(io); // before anything is opened
  const connect: CommandContext["connect"] = (signal, options) =>
    Session.connect(address, {
      clientId: invocation.clientId ?? randomId(),
      minVersion: versions.min,
      maxVersion: versions.max,
      signal,
      connectTimeoutMs: Math.max(CONNECT_TIMEOUT_MS, timeoutSeconds * 500),
      ...options,
    });
  const deadline = new Deadline(timeoutSeconds, address);
  const interrupts = new Interrupts(io.interrupt);
  let session: Session | undefined;
  try {
    session = await connect(deadline.signal);
    const interrupted = () => interrupts.first();
    await runCommand(command, { session, invocation, output, io, connect, clock: CLOCK, deadline, interrupted });
  } finally {
    deadline.cancel();
    interrupts.ignore();
    session?.close();
  }
}

/** Signals this soon after the first one are the same wish: timeout(1) signals the process and then its group. */
const SAME_WISH_MS = 500;

/** The user's wish to end. The first is heeded in order; a second one ends the process as it would without us. */
class Interrupts {
  private stop: () => void = () => {};

  constructor(private readonly signal: AbortSignal | undefined) {}

  /** Resolves at the first interrupt from now on. */
  first(): Promise<void> {
    const { signal } = this;
    return new Promise((resolve) => {
      let later: NodeJS.Timeout | undefined;
      const heard = () => {
        later ??= setTimeout(() => this.stop(), SAME_WISH_MS).unref();
        resolve();
      };
      this.stop = () => {
        clearTimeout(later);
        signal?.removeEventListener("abort", heard);
        for (const name of SIGNALS) process.off(name, heard);
      };
      if (signal === undefined) for (const name of SIGNALS) process.on(name, heard);
      else if (signal.aborted) heard();
      else signal.addEventListener("abort", heard);
    });
  }

  ignore(): void {
    this.stop();
  }
}
