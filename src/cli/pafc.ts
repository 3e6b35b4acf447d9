/** The client command: `pafc ADDR` is interactive, `pafc ADDR COMMAND` does one thing and exits (pafd-and-pafc.md, 3). */

import { systemClock } from "../client/event-loop.js";
import { MAX_VERSION, MIN_VERSION, Session } from "../client/session.js";
import { type Invocation, parseCommandLine } from "./command-line.js";
import { type CommandContext, runCommand } from "./commands.js";
import { Deadline } from "./deadline.js";
import { printAddresses, printDomains } from "./domains.js";
import { failureLines } from "./failures.js";
import { HELP } from "./help.js";
import { randomId } from "./ids.js";
import { InterruptedError, Interrupts, interruptedCode } from "./interrupts.js";
import { Output, type PafcIo } from "./output.js";
import { interact } from "./prompt/interact.js";
import { chooseServer } from "./server-choice.js";
import { terminalFor } from "./top/top.js";
import { UsageError } from "./usage-error.js";

export type { PafcIo } from "./output.js";

/** Of package.json; the bundler fills it in. */
declare const PATHFINDER_EDGE_VERSION: string;

/** XCM's; a longer --timeout gives each address of a name half of it. */
const CONNECT_TIMEOUT_MS = 3_000;

/**
 * Runs `pafc` with `argv` (without node and script). Resolves to the exit code when everything is written: 0 or 1, and
 * of the interactive client and a benchmark also 128 and the number of the signal that ended it. Never rejects. Leaves no
 * socket, timer or signal handler behind.
 */
export async function runPafc(argv: readonly string[], io: PafcIo): Promise<number> {
  const output = new Output(io, argv.includes("--json"));
  let code = 0;
  try {
    const invocation = parseCommandLine(argv);
    if (invocation.kind === "help") output.line(HELP);
    else if (invocation.kind === "version") output.line(versionText());
    else if (invocation.kind === "list-domains") await printDomains(output, io);
    else if (invocation.kind === "addresses") await printAddresses(invocation.domain, output, io);
    else code = await run(invocation, output, io);
  } catch (error) {
    code = error instanceof InterruptedError ? interruptedCode(error.interrupt) : 1;
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

/** Resolves to the exit code. */
async function run(invocation: Invocation, output: Output, io: PafcIo): Promise<number> {
  const { timeoutSeconds, command } = invocation;
  if (command?.name === "top") terminalFor(io); // before anything is opened
  const { address, versions, notes, ...from } = await chooseServer(invocation, io.env);
  const clientId = invocation.clientId ?? randomId();
  const connect: CommandContext["connect"] = (signal, options) =>
    Session.connect(address, {
      clientId: invocation.clientId ?? randomId(),
      minVersion: versions.min,
      maxVersion: versions.max,
      signal,
      connectTimeoutMs: Math.max(CONNECT_TIMEOUT_MS, timeoutSeconds * 500),
      ...from,
      ...options,
    });
  const deadline = new Deadline(timeoutSeconds, address);
  const interrupts = new Interrupts(io.interrupt);
  let session: Session | undefined;
  try {
    session = await connect(deadline.signal, { clientId }).catch((error: unknown) => {
      throw notes === undefined ? error : new UsageError([...(failureLines(error) ?? [String(error)]), ...notes]);
    });
    output.regulate(session);
    const interrupted = () => interrupts.first();
    const clock = systemClock;
    if (command) {
      await runCommand(command, { session, address, invocation, output, io, connect, clock, deadline, interrupted });
      return 0;
    }
    deadline.cancel();
    const about = { session, address, clientId, versions, timeoutSeconds };
    return await interact({ ...about, output, io, clock, interrupted: interrupted() });
  } finally {
    deadline.cancel();
    interrupts.ignore();
    session?.close();
  }
}
