/** What the kernel knows of a process. */
import { readdirSync, readFileSync } from "node:fs";

/** CPU time of all threads so far, in nanoseconds. */
export function cpuNs(pid) {
  let sum = 0;
  for (const task of readdirSync(`/proc/${pid}/task`)) {
    sum += Number(readFileSync(`/proc/${pid}/task/${task}/schedstat`, "utf8").split(" ")[0]);
  }
  return sum;
}

/** Times so far that any thread was given the CPU; `kind`: only after it had waited, or after it was interrupted. */
export function switches(pid, kind = "") {
  let sum = 0;
  for (const task of readdirSync(`/proc/${pid}/task`)) {
    const status = readFileSync(`/proc/${pid}/task/${task}/status`, "utf8");
    for (const [, n] of status.matchAll(new RegExp(`^${kind}\\w*ctxt_switches:\\s+(\\d+)`, "gm"))) sum += Number(n);
  }
  return sum;
}

/** Anonymous memory of the process in MiB. */
export function anonymousMiB(pid) {
  return Number(/Pss_Anon:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/smaps_rollup`, "utf8"))[1]) / 1024;
}
