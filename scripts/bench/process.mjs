/** Starting a server process, and reading what the kernel knows of it. */
import { spawn } from "node:child_process";
import { addon } from "./seqpacket.mjs";

export { anonymousMiB, cpuNs, switches } from "./usage.mjs";

/** Starts a command and resolves when it accepts connections on ux:NAME, with the milliseconds that took. */
export async function start(name, command, args, environment = {}) {
  const began = performance.now();
  const child = spawn(command, args, {
    stdio: ["ignore", "ignore", "inherit"],
    env: { ...process.env, ...environment },
  });
  for (;;) {
    const socket = addon.SeqpacketSocket.connect(Buffer.from(`\0${name}`));
    if (typeof socket !== "number") {
      socket.close();
      return { pid: child.pid, startMs: performance.now() - began, stop: () => stop(child) };
    }
    if (child.exitCode !== null) throw new Error(`${command} ended with ${child.exitCode}`);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}

function stop(child) {
  return new Promise((resolve) => {
    child.on("exit", resolve);
    child.kill("SIGTERM");
  });
}
