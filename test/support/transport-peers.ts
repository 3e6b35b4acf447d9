/** Both ends of connections for the tests of the transports: owners that record, and raw peers written in Python. */

import { type ChildProcessWithoutNullStreams, spawn, spawnSync } from "node:child_process";
import { readdirSync } from "node:fs";
import {
  type Connection,
  type ConnectionListener,
  type ConnectOptions,
  connect,
  type Listener,
  type ListenOptions,
  listen,
  Outbox,
  TransportError,
} from "../../src/transport/index.js";

const LIMIT_MS = 20_000;

/** Lets tests wait for a condition; it is looked at whenever something happens. */
export class Watch {
  #waiting: (() => void)[] = [];

  happened(): void {
    for (const look of this.#waiting.splice(0)) look();
  }

  /** `what`: a text, or what tells how things are when the time is over. */
  until(condition: () => boolean, what: string | (() => string), limitMs = LIMIT_MS): Promise<void> {
    return new Promise((resolve, reject) => {
      const late = () => new Error(`not within ${limitMs / 1000} s: ${typeof what === "string" ? what : what()}`);
      const timer = setTimeout(() => reject(late()), limitMs);
      const look = () => {
        if (!condition()) {
          this.#waiting.push(look);
          return;
        }
        clearTimeout(timer);
        resolve();
      };
      look();
    });
  }
}

/** Owner of a connection that records everything. */
export class Recorder extends Watch implements ConnectionListener {
  connection!: Connection;
  readonly messages: string[] = [];
  drains = 0;
  closes = 0;
  error: TransportError | undefined;
  /** Called after a message was recorded. */
  onText: (text: string, recorder: Recorder) => void = () => {};

  onMessage(bytes: Uint8Array, start: number, end: number): void {
    const text = Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start).toString("latin1");
    this.messages.push(text);
    this.happened();
    this.onText(text, this);
  }

  onDrain(): void {
    this.drains++;
    this.happened();
  }

  onClose(error: TransportError | undefined): void {
    this.closes++;
    this.error = error;
    this.happened();
  }

  receives(count: number): Promise<void> {
    return this.until(() => this.messages.length >= count, `${count} messages (${this.messages.length} came)`);
  }

  ends(): Promise<void> {
    return this.until(() => this.closes > 0, "the connection's end");
  }
}

export const outbox = new Outbox();

export function send(to: Recorder | Connection, message: string | Uint8Array): void {
  const bytes = typeof message === "string" ? Buffer.from(message, "latin1") : message;
  const at = outbox.begin(bytes.length);
  outbox.bytes.set(bytes, at);
  outbox.commit(to instanceof Recorder ? to.connection : to, at + bytes.length);
}

export class Server extends Watch {
  readonly accepted: Recorder[] = [];
  readonly acceptErrors: TransportError[] = [];
  listener!: Listener;
  /** Called for each new connection before it is read. */
  onAccept: (recorder: Recorder) => void = () => {};

  get address(): string {
    return this.listener.address;
  }

  connections(count: number): Promise<void> {
    return this.until(() => this.accepted.length >= count, `${count} connections (${this.accepted.length} came)`);
  }

  close(): void {
    this.listener.close();
    for (const { connection } of this.accepted) connection.close();
  }
}

export async function serve(
  address: string,
  onText: Recorder["onText"] = () => {},
  options: Partial<ListenOptions> = {},
): Promise<Server> {
  const server = new Server();
  server.listener = await listen(address, {
    outbox,
    onConnection: (connection) => {
      const recorder = new Recorder();
      recorder.connection = connection;
      recorder.onText = onText;
      server.accepted.push(recorder);
      server.onAccept(recorder);
      server.happened();
      return recorder;
    },
    onAcceptError: (error) => {
      server.acceptErrors.push(error);
      server.happened();
    },
    ...options,
  });
  return server;
}

export function portOf(server: Server): number {
  return Number(server.address.slice(server.address.lastIndexOf(":") + 1));
}

export const echo: Recorder["onText"] = (text, recorder) => send(recorder, text);

export async function dial(address: string, options: Partial<ConnectOptions> = {}): Promise<Recorder> {
  const recorder = new Recorder();
  recorder.connection = await connect(address, { outbox, listener: recorder, ...options });
  return recorder;
}

/** The TransportError with which `promise` rejects. */
export async function rejection(promise: Promise<unknown>): Promise<TransportError> {
  const outcome = await promise.then(
    () => new Error("it did not fail"),
    (error: unknown) => error,
  );
  if (outcome instanceof TransportError) return outcome;
  throw outcome;
}

let names = 0;
/** A `ux` name that nobody else uses. */
export const freshName = () => `pathfinder-edge-test-${process.pid}-${names++}`;

/** The sockets of this process: inode → descriptor. */
export function socketDescriptors(): Map<string, number> {
  const listing = spawnSync("ls", ["-l", `/proc/${process.pid}/fd`], { encoding: "utf8" }).stdout;
  return new Map([...listing.matchAll(/(\d+) -> socket:\[(\d+)\]/g)].map(([, fd, inode]) => [inode!, Number(fd)]));
}

/** How many descriptors of any kind this process has open. */
export function openDescriptors(): number {
  return readdirSync("/proc/self/fd").length;
}

/** A Python program as a peer: `script` finds `socket`, `sys`, `os`, `say(text)` and `wait()` for a line from the test. */
export class PythonPeer extends Watch {
  readonly lines: string[] = [];
  readonly #child: ChildProcessWithoutNullStreams;
  #errors = "";
  #ended = false;

  constructor(script: string, ...args: string[]) {
    super();
    const prelude = `import socket, sys, os, struct
def say(text): print(text, flush=True)
def wait(): return sys.stdin.readline().strip()
`;
    this.#child = spawn("python3", ["-c", prelude + script, ...args]);
    let rest = "";
    this.#child.stdout.on("data", (data) => {
      const parts = (rest + data).split("\n");
      rest = parts.pop()!;
      this.lines.push(...parts);
      this.happened();
    });
    this.#child.stderr.on("data", (data) => {
      this.#errors += data;
    });
    this.#child.on("close", () => {
      this.#ended = true;
      this.happened();
    });
    this.#child.stdin.on("error", () => {});
  }

  /** The next `count` lines that the peer says. */
  async says(count = 1): Promise<string[]> {
    await this.until(() => this.lines.length >= count || this.#ended, `${count} lines; it wrote ${this.#errors}`);
    if (this.lines.length < count) throw new Error(`the peer ended: ${this.#errors}`);
    return this.lines.splice(0, count);
  }

  /** Lets the peer go on behind its `wait()`. */
  tell(line = ""): void {
    this.#child.stdin.write(`${line}\n`);
  }

  async kill(): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.until(() => this.#ended, "the peer's end");
  }
}

/** Why tests with Python peers cannot run here, or undefined. In CI that is never accepted. */
export function pythonMissing(): string | undefined {
  if (spawnSync("python3", ["-c", "import socket"]).status === 0) return undefined;
  if (process.env.CI === "true") throw new Error("python3 is not installed, and CI skips nothing");
  return "python3 is not installed (apt install python3)";
}

/** Runs `body` and gives the one exception that nobody caught meanwhile. */
export async function uncaught(body: () => Promise<void>): Promise<unknown[]> {
  const errors: unknown[] = [];
  const listener = (error: unknown) => errors.push(error);
  const before = process.listeners("uncaughtException");
  process.removeAllListeners("uncaughtException");
  process.on("uncaughtException", listener);
  try {
    await body();
  } finally {
    process.off("uncaughtException", listener);
    for (const other of before) process.on("uncaughtException", other);
  }
  return errors;
}

/** For `after`: sockets that a failed test has left open do not keep the process alive for long. */
export function endSoon(): void {
  setTimeout(() => process.exit(process.exitCode ?? 1), 3_000).unref();
}
