/** A network of namespaces with avahi-daemons in it (lab.sh), steered from a test. */

import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";

export const ROOT = process.env.PATHFINDER_EDGE_ROOT ?? process.cwd();

const isRoot = process.getuid?.() === 0;
const UNSHARE = [isRoot ? "-mn" : "-Urmn", "--pid", "--fork", "--kill-child", "--mount-proc"];
const COMMAND_LIMIT_MS = 30_000;

/** Why no lab can be had here; `undefined` if it can. */
export function missingForLab(): string | undefined {
  const programs = ["avahi-daemon", "dbus-daemon", "ip", "nsenter", "unshare"];
  const missing = programs.filter((program) => spawnSync("sh", ["-c", `command -v ${program}`]).status !== 0);
  if (missing.length > 0) return `not installed: ${missing.join(", ")}`;
  return spawnSync("unshare", [...UNSHARE, "true"]).status === 0 ? undefined : "namespaces are not allowed here";
}

export class Lab {
  private readonly folder = mkdtempSync(join(tmpdir(), "pathfinder-lab-"));
  private readonly child: ChildProcess;
  private waiting: ((line: string | undefined) => void) | undefined;
  private output: string[] = [];
  /** Lines that programs in the lab write to descriptor 3. */
  onLine: (line: string) => void = () => {};

  private constructor() {
    this.child = spawn("unshare", [...UNSHARE, "bash", join(ROOT, "test/peers/lab.sh"), this.folder], {
      stdio: ["pipe", "pipe", "inherit", "pipe"],
    });
    createInterface({ input: this.child.stdout! }).on("line", (line) => {
      if (line.startsWith("lab: ")) this.waiting?.(line.slice(5));
      else this.output.push(line);
    });
    createInterface({ input: this.child.stdio[3] as Readable }).on("line", (line) => this.onLine(line));
    this.child.on("exit", () => this.waiting?.(undefined));
  }

  static async start(): Promise<Lab> {
    const lab = new Lab();
    await lab.answer("start");
    return lab;
  }

  /** Runs one line of shell in the lab; returns what it printed. Rejects if it fails. */
  run(line: string): Promise<string> {
    this.child.stdin!.write(`${line}\n`);
    return this.answer(line);
  }

  async stop(): Promise<void> {
    await new Promise((resolve) => {
      this.child.once("close", resolve);
      this.child.kill("SIGKILL"); // --kill-child: takes everything in it along
    });
    rmSync(this.folder, { recursive: true, force: true });
  }

  private answer(what: string): Promise<string> {
    return new Promise((resolve, reject) => {
      const end = (status: string | undefined) => {
        clearTimeout(limit);
        this.waiting = undefined;
        const output = this.output.join("\n");
        this.output = [];
        if (status === "0") resolve(output);
        else
          reject(
            new Error(`lab: "${what}" ${status === undefined ? "did not end" : `ended with ${status}`}: ${output}`),
          );
      };
      const limit = setTimeout(() => end(undefined), COMMAND_LIMIT_MS);
      this.waiting = end;
    });
  }
}
