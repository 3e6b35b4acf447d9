/** Programs that use the library, each in a process of its own. */

import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buildSync } from "esbuild";
import { root } from "../support/root.js";
import { Watch } from "../support/transport-peers.js";

const running = new Set<ChildProcess>();
let folder: string | undefined;
let programs = 0;
process.on("exit", () => {
  for (const child of running) child.kill("SIGKILL");
  if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
});

/** The name of a file that can be run. `script` is TypeScript and imports from "./src/…", seen from the project's folder. */
export function compile(script: string): string {
  folder ??= mkdtempSync(join(tmpdir(), "pathfinder-edge-program-"));
  const file = join(folder, `program-${programs++}.cjs`);
  buildSync({
    stdin: { contents: script, resolveDir: root, loader: "ts" },
    outfile: file,
    bundle: true,
    packages: "external",
    platform: "node",
    target: "node18",
    format: "cjs",
    logLevel: "error",
  });
  return file;
}

export interface ProgramOptions {
  readonly args?: readonly string[];
  readonly nodeArgs?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** A command before that of Node.js. */
  readonly under?: readonly string[];
}

export class Program extends Watch {
  /** Standard output and error. */
  output = "";
  private code: number | null | undefined;
  private readonly child: ChildProcess;

  constructor(file: string, { args = [], nodeArgs = [], env = {}, under = [] }: ProgramOptions = {}) {
    super();
    const [command, ...rest] = [...under, process.execPath, ...nodeArgs, file, ...args];
    this.child = spawn(command!, rest, {
      env: { ...process.env, NODE_PATH: join(root, "node_modules"), ...env },
      stdio: ["pipe", "pipe", "pipe"],
    });
    running.add(this.child);
    this.child.stdin!.on("error", () => {});
    for (const stream of [this.child.stdout!, this.child.stderr!]) {
      stream.setEncoding("utf8").on("data", (text: string) => {
        this.output += text;
        this.happened();
      });
    }
    this.child.on("close", (code) => {
      running.delete(this.child);
      this.code = code;
      this.happened();
    });
  }

  get hasEnded(): boolean {
    return this.code !== undefined;
  }

  async says(text: string): Promise<void> {
    await this.until(
      () => this.output.includes(text) || this.code !== undefined,
      `"${text}" of the program; it wrote ${this.output}`,
    );
    if (!this.output.includes(text)) throw new Error(`the program ended with ${this.code}: ${this.output}`);
  }

  /** Lets the program go on that waits for a line. */
  tell(): void {
    this.child.stdin!.end("\n");
  }

  /** Waits for its end; its exit code (-1: killed) and what it wrote. */
  async ends(): Promise<{ code: number; output: string }> {
    await this.until(() => this.code !== undefined, `the program's end; it wrote ${this.output}`);
    return { code: this.code ?? -1, output: this.output };
  }
}
