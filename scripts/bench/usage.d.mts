export function cpuNs(pid: number): number;
export function switches(pid: number, kind?: "voluntary" | "nonvoluntary"): number;
export function anonymousMiB(pid: number): number;
