/** The bundle's entry: runs the command that the launcher names. */

import { fstatSync, writeSync } from "node:fs";

declare const PATHFINDER_EDGE_VERSION: string;

const [command, ...argv] = process.argv.slice(2);

// Node.js opens its inspector, a port for debuggers, at SIGUSR1 until somebody else listens to that signal; pafd will.
process.on("SIGUSR1", () => {});

/** Closes an inspector that a SIGUSR1 has opened before that, unless it was asked for. */
async function closeInspector(): Promise<void> {
  const asked = [...process.execArgv, process.env.NODE_OPTIONS ?? ""].some((option) => option.includes("--inspect"));
  if (asked) return;
  const inspector = await import("node:inspector");
  if (inspector.url() !== undefined) inspector.close();
}

// On a terminal that has hung up, Node.js ends with an abort, and a core file where the system keeps them (its
// ResetStdio): it takes the failure to restore the terminal for a bug. Such a process ends as others do, by SIGHUP.
process.on("exit", () => {
  if (!hungUp(0) && !hungUp(1) && !hungUp(2)) return;
  process.removeAllListeners("SIGHUP");
  process.kill(process.pid, "SIGHUP");
});

/** Of a terminal that has hung up the kernel takes nothing, not even nothing. */
function hungUp(descriptor: number): boolean {
  try {
    if (fstatSync(descriptor).isCharacterDevice()) writeSync(descriptor, "");
    return false;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EIO";
  }
}

/** Each command's code is loaded only when it is the one to run. */
async function main(): Promise<void> {
  if (command === "pafd") {
    const { runPafd } = await import("./daemon/pafd.js");
    await runPafd(argv, PATHFINDER_EDGE_VERSION);
    await closeInspector();
  } else if (command === "pafc") {
    const { runPafc } = await import("./cli/pafc.js");
    process.exitCode = await runPafc(argv, process);
  } else {
    process.stdout.write("Run dist/pafd or dist/pafc; they call this file.\n");
    process.exitCode = 1;
  }
}

main().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.stack : String(error)}\n`);
  process.exitCode = 1;
});
