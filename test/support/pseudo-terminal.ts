/** A program on a pseudo-terminal (made by Python), with an emulator that shows what it draws. */

import { spawn, spawnSync } from "node:child_process";
import { environment } from "./pafd.js";
import { TerminalEmulator } from "./terminal-emulator.js";
import { Watch } from "./transport-peers.js";

/**
 * Lines of JSON in: {"write": text}, {"resize": [columns, rows]}, {"signal": n}, {"hangup": true}. Out: {"out": text},
 * {"exit": status, "restored": whether the terminal's settings are as before}. Texts are Latin-1, one character per byte.
 * The end of the input kills the program.
 */
const BRIDGE = `
import sys, os, json, termios, struct, fcntl, threading, signal, select
hangup = threading.Event()
columns, rows = int(sys.argv[1]), int(sys.argv[2])
master, slave = os.openpty()
def size(c, r): fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("HHHH", r, c, 0, 0))
size(columns, rows)
before = termios.tcgetattr(slave)
def say(**what): sys.stdout.write(json.dumps(what) + "\\n"); sys.stdout.flush()
child = os.fork()
if child == 0:
    os.setsid()
    fcntl.ioctl(slave, termios.TIOCSCTTY, 0)
    for fd in (0, 1, 2): os.dup2(slave, fd)
    os.closerange(3, 100)
    os.execvp(sys.argv[3], sys.argv[3:])
def listen():
    for line in sys.stdin:
        order = json.loads(line)
        if "write" in order: os.write(master, order["write"].encode("latin-1"))
        if "resize" in order: size(*order["resize"])
        if "signal" in order: os.kill(child, order["signal"])
        if "hangup" in order: hangup.set()
    os.kill(child, signal.SIGKILL)
threading.Thread(target=listen, daemon=True).start()
def show():
    while not hangup.is_set():
        if select.select([master], [], [], 0.05)[0]: say(out=os.read(master, 65536).decode("latin-1"))
    os.close(master)
threading.Thread(target=show, daemon=True).start()
_, status = os.waitpid(child, 0)
if hangup.is_set():
    say(exit=os.waitstatus_to_exitcode(status), hungup=True)
    threading.Event().wait(20)
after = termios.tcgetattr(slave)
# What the program wrote last may still be in the terminal: written behind it, a mark comes out behind it.
os.write(slave, b"\\0")
say(exit=os.waitstatus_to_exitcode(status), restored=before == after)
threading.Event().wait(20)
`;
const MARK = "\0";

/** Why tests on a terminal can not run here, or undefined. In CI that is never accepted. */
export function ptyMissing(): string | undefined {
  if (spawnSync("python3", ["-c", "import termios"]).status === 0) return undefined;
  if (process.env.CI === "true") throw new Error("python3 is not installed, and CI skips nothing");
  return "python3 is not installed (apt install python3)";
}

export class PseudoTerminal extends Watch {
  readonly screen: TerminalEmulator;
  /** Everything that was written to the terminal. */
  output = "";
  private markSeen = false;
  /** Of the program: its code, or the negative number of a signal. */
  exit: number | undefined;
  /** Whether the terminal's settings are, at the program's end, those that it found. */
  isRestored = false;
  private failure: Error | undefined;
  private readonly bridge;

  constructor(command: readonly string[], { columns = 80, rows = 24, env = {} as NodeJS.ProcessEnv } = {}) {
    super();
    this.screen = new TerminalEmulator(columns, rows);
    this.bridge = spawn("python3", ["-c", BRIDGE, String(columns), String(rows), ...command], {
      env: environment({ TERM: "xterm", NO_COLOR: "", PAFC_HISTORY: "", ...env }),
      stdio: ["pipe", "pipe", "inherit"],
    });
    this.bridge.stdin.on("error", () => {}); // the program has ended
    let rest = "";
    let ended: { exit: number; restored?: boolean; hungup?: boolean } | undefined;
    const decoder = new TextDecoder();
    this.bridge.stdout.setEncoding("utf8").on("data", (data: string) => {
      const lines = (rest + data).split("\n");
      rest = lines.pop()!;
      for (const line of lines) {
        const said = JSON.parse(line);
        if (said.exit !== undefined) ended = said;
        else this.shown(decoder.decode(Buffer.from(said.out, "latin1"), { stream: true }));
      }
      if (ended && (ended.hungup || this.markSeen)) {
        this.exit = ended.exit;
        this.isRestored = ended.restored === true;
        this.bridge.kill("SIGKILL");
      }
      this.happened();
    });
  }

  type(text: string): void {
    this.order({ write: Buffer.from(text).toString("latin1") });
  }

  /** The window gets another size; the program is told by SIGWINCH. */
  resize(columns: number, rows: number): void {
    this.screen.resize(columns, rows);
    this.order({ resize: [columns, rows] });
  }

  signal(number: number): void {
    this.order({ signal: number });
  }

  /** The terminal goes: as when a window is closed, or ssh loses its connection. */
  hangUp(): void {
    this.order({ hangup: true });
  }

  /** Waits for a picture that satisfies `holds`. */
  async shows(holds: (lines: readonly string[]) => boolean, what: string): Promise<readonly string[]> {
    const seen = () => {
      if (this.failure) throw this.failure;
      return holds(this.screen.lines) || this.exit !== undefined;
    };
    await this.until(seen, what).catch((error) => {
      throw new Error(`${error.message}\n${this.screen.lines.join("\n")}`);
    });
    if (!holds(this.screen.lines))
      throw new Error(`the program ended without ${what}:\n${this.screen.lines.join("\n")}`);
    return this.screen.lines;
  }

  /** What is seen, without blank lines at the end. */
  get lines(): readonly string[] {
    const lines = this.screen.lines;
    while (lines.at(-1) === "") lines.pop();
    return lines;
  }

  /** Waits until `lines` are these. */
  async reads(...expected: readonly (string | RegExp)[]): Promise<void> {
    const same = (line: string | RegExp, i: number) =>
      typeof line === "string" ? this.lines[i] === line : line.test(this.lines[i]);
    await this.shows(
      () => this.lines.length === expected.length && expected.every(same),
      JSON.stringify(expected.map(String), null, 1),
    );
  }

  async ends(): Promise<number> {
    await this.until(() => this.exit !== undefined, `the program's end; it shows\n${this.screen.lines.join("\n")}`);
    if (this.failure) throw this.failure;
    return this.exit!;
  }

  /** For the end of a test that may have failed: the program is killed. */
  close(): void {
    if (this.exit === undefined) this.bridge.stdin.end();
  }

  private shown(written: string): void {
    this.markSeen = written.endsWith(MARK);
    const text = this.markSeen ? written.slice(0, -1) : written;
    this.output += text;
    try {
      this.screen.write(text);
    } catch (error) {
      this.failure ??= error as Error;
    }
  }

  private order(order: object): void {
    this.bridge.stdin.write(`${JSON.stringify(order)}\n`);
  }
}
