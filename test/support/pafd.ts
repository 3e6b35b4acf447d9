/** The real server process: dist/pafd, started on fresh names and stopped again; and what the kernel knows of it. */

import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect } from "../../src/transport/index.js";
import { root } from "./root.js";
import { outbox, Recorder, send, Watch } from "./transport-peers.js";

export const PAFD = join(root, "dist/pafd");
const LIMIT_MS = 30_000;

/** The tests run under another Node.js if PATHFINDER_EDGE_NODE names its binary. */
export const environment = (more: NodeJS.ProcessEnv = {}): NodeJS.ProcessEnv => {
  const { PATHFINDER_EDGE_NODE: node, NODE_OPTIONS: _, PATHFINDER_EDGE_ADDON: __, ...rest } = process.env;
  return { ...rest, ...(node ? { NODE: node } : {}), ...more };
};

export interface RunOptions {
  readonly command?: string;
  readonly cwd?: string;
  readonly env?: NodeJS.ProcessEnv;
}

/** Runs pafd to its end; for what it refuses. */
export function runPafd(args: readonly string[], { command = PAFD, cwd, env }: RunOptions = {}) {
  const { status, stdout, stderr, error } = spawnSync(command, args, {
    cwd,
    env: environment(env),
    encoding: "utf8",
    timeout: LIMIT_MS,
  });
  if (error) throw error;
  return { status, stdout, stderr };
}

/** All that were started and not stopped: killed when the test process ends, however it does. */
const running = new Set<ChildProcess>();
process.on("exit", () => {
  for (const child of running) child.kill("SIGKILL");
});

/** A running pafd. Its log is on standard error. */
export class Pafd extends Watch {
  readonly child: ChildProcess;
  stdout = "";
  log = "";
  exit: { readonly code: number | null; readonly signal: NodeJS.Signals | null } | undefined;

  constructor(args: readonly string[], { command = PAFD, cwd, env }: RunOptions = {}) {
    super();
    this.child = spawn(command, args, { cwd, env: environment(env), stdio: ["ignore", "pipe", "pipe"] });
    running.add(this.child);
    this.child.stdout!.on("data", (data) => {
      this.stdout += data;
      this.happened();
    });
    this.child.stderr!.on("data", (data) => {
      this.log += data;
      this.happened();
    });
    this.child.on("close", (code, signal) => {
      running.delete(this.child);
      this.exit = { code, signal };
      this.happened();
    });
  }

  get pid(): number {
    return this.child.pid!;
  }

  /** Resolves when the log has `text`. */
  async says(text: string | RegExp): Promise<void> {
    const found = () => (typeof text === "string" ? this.log.includes(text) : text.test(this.log));
    await this.until(() => found() || this.exit !== undefined, `"${text}" in ${this.log}`);
    if (!found()) throw new Error(`pafd ended with ${this.exit?.code}: ${this.stdout}${this.log}`);
  }

  /** Sends a signal and waits for the end. */
  async stop(signal: NodeJS.Signals = "SIGTERM"): Promise<{ code: number | null; signal: NodeJS.Signals | null }> {
    this.child.kill(signal);
    await this.until(() => this.exit !== undefined, `the end after ${signal}; log: ${this.log.slice(-2000)}`);
    return this.exit!;
  }

  /** For the end of a test that may have failed. */
  async kill(): Promise<void> {
    if (this.exit === undefined) await this.stop("SIGKILL");
  }
}

/** Starts pafd with its log on standard error and waits until it serves. */
export async function startPafd(args: readonly string[], options: RunOptions = {}): Promise<Pafd> {
  const pafd = new Pafd(["-s", "-n", ...args], options);
  try {
    await pafd.says("started with configuration");
  } catch (error) {
    await pafd.kill();
    throw error;
  }
  return pafd;
}

/** Runs `body` with a pafd that is gone afterwards. */
export async function withPafd(args: readonly string[], body: (pafd: Pafd) => Promise<void>, options: RunOptions = {}) {
  const pafd = await startPafd(args, options);
  try {
    await body(pafd);
  } finally {
    await pafd.kill();
  }
}

/** Runs `body` with an empty folder that is gone afterwards. */
export async function withFolder(body: (folder: string) => Promise<void> | void): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "pathfinder-edge-test-"));
  try {
    await body(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The address that a log line names for `given`, which has port 0. */
export async function boundAddress(pafd: Pafd, given: string): Promise<string> {
  const line = new RegExp(`Listening on (\\S+) \\(given as ${given.replace(/[.*[\]]/g, "\\$&")}\\)`);
  await pafd.says(line);
  return line.exec(pafd.log)![1];
}

/** A client of the real server that speaks the protocol in text. */
export class Client extends Recorder {
  static async connect(address: string, id?: number, version = 3): Promise<Client> {
    const client = new Client();
    client.connection = await connect(address, { outbox, listener: client });
    if (id !== undefined) await client.hello(id, version);
    return client;
  }

  send(text: string): void {
    send(this, Buffer.from(text));
  }

  request(command: string, taId: number, fields: object = {}): void {
    this.send(JSON.stringify({ "ta-cmd": command, "ta-id": taId, "msg-type": "request", ...fields }));
  }

  /** Sends a request and waits for the last message of the answer. */
  async ask(command: string, taId: number, fields: object = {}): Promise<string> {
    const last = () => this.messages.find((text) => text.includes(`"ta-id":${taId},`) && ENDS.test(text));
    this.request(command, taId, fields);
    await this.until(() => last() !== undefined || this.closes > 0, `the answer to ${command}`);
    return last() ?? "closed";
  }

  async hello(id: number, version = 3): Promise<void> {
    const fields = { "client-id": id, "protocol-minimum-version": 2, "protocol-maximum-version": version };
    const answer = await this.ask("hello", 0, fields);
    if (!answer.includes("complete")) throw new Error(`hello: ${answer}`);
  }
}

const ENDS = /"msg-type":"(complete|fail)"/;

export const openDescriptors = (pid: number): number => readdirSync(`/proc/${pid}/fd`).length;

/** Resident memory in MiB. */
export function residentMiB(pid: number): number {
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))![1]) / 1024;
}

/** Looks at `value` every 20 ms until it satisfies `holds`; for what the kernel does not announce. */
export async function eventually<T>(value: () => T, holds: (value: T) => boolean, what: string): Promise<T> {
  const end = performance.now() + LIMIT_MS;
  for (;;) {
    const now = value();
    if (holds(now)) return now;
    if (performance.now() > end) throw new Error(`${what}: still ${now} after ${LIMIT_MS / 1000} s`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
