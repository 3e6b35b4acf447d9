/** Starting a server process and reading what the kernel knows of it. */
import { spawn } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { addon } from "./seqpacket.mjs";

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

/** CPU time of all threads so far, in nanoseconds. */
export function cpuNs(pid) {
  let sum = 0;
  for (const task of readdirSync(`/proc/${pid}/task`)) {
    sum += Number(readFileSync(`/proc/${pid}/task/${task}/schedstat`, "utf8").split(" ")[0]);
  }
  return sum;
}

/** Times that any thread was given the CPU so far. */
export function switches(pid) {
  let sum = 0;
  for (const task of readdirSync(`/proc/${pid}/task`)) {
    const status = readFileSync(`/proc/${pid}/task/${task}/status`, "utf8");
    for (const [, n] of status.matchAll(/ctxt_switches:\s+(\d+)/g)) sum += Number(n);
  }
  return sum;
}

/** Anonymous memory of the process in MiB. */
export function anonymousMiB(pid) {
  return Number(/Pss_Anon:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/smaps_rollup`, "utf8"))[1]) / 1024;
}
