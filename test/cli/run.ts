/** Runs pafc inside the test: what it writes is kept, and it can be interrupted. */

import { PassThrough, Writable } from "node:stream";
import { runPafc } from "../../src/cli/pafc.js";
import { soon } from "../client/live-domain.js";
import { Watch } from "../support/transport-peers.js";

class Capture extends Writable {
  text = "";
  isTTY = false;
  readonly watch = new Watch();

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.text += chunk;
    this.watch.happened();
    done();
  }
}

export class Run {
  readonly stdout = new Capture();
  readonly stderr = new Capture();
  /** Of the interactive client: its lines, no terminal. */
  readonly stdin = new PassThrough();
  /** The exit code. */
  readonly code: Promise<number>;
  private readonly controller = new AbortController();

  constructor(argv: readonly string[], { isTTY = false, env = {} as Record<string, string> } = {}) {
    this.stdout.isTTY = isTTY;
    const { stdin, stdout, stderr } = this;
    this.code = soon(runPafc(argv, { stdin, stdout, stderr, env, interrupt: this.controller.signal }), `pafc ${argv}`);
  }

  get lines(): string[] {
    return this.stdout.text.split("\n").slice(0, -1);
  }

  /** Waits for the `count`th line; returns it. */
  async line(count: number): Promise<string> {
    await this.stdout.watch.until(() => this.lines.length >= count, `line ${count}; there is ${this.stdout.text}`);
    return this.lines[count - 1];
  }

  interrupt(): void {
    this.controller.abort();
  }
}

/** Runs to the end. */
export async function pafc(...argv: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  const run = new Run(argv);
  const code = await run.code;
  return { code, stdout: run.stdout.text, stderr: run.stderr.text };
}
