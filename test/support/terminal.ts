/** A program in a pseudo-terminal (driven by Python's pty module), and the screen that a person would see. */

import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { Watch } from "./transport-peers.js";

const DRIVER = `
import fcntl, os, pty, select, struct, sys, termios
columns, rows, *command = sys.argv[1:]
pid, terminal = pty.fork()
if pid == 0:
    fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", int(rows), int(columns), 0, 0))
    os.execvp(command[0], command)
sources = [0, terminal]
while True:
    ready = select.select(sources, [], [])[0]
    if 0 in ready:
        data = os.read(0, 65536)
        if data: os.write(terminal, data)
        else: sources.remove(0)
    if terminal in ready:
        try: data = os.read(terminal, 65536)
        except OSError: break
        os.write(1, data)
status = os.waitpid(pid, 0)[1]
sys.exit(os.WEXITSTATUS(status) if os.WIFEXITED(status) else 128 + os.WTERMSIG(status))
`;

export class Terminal extends Watch {
  /** All bytes that the program wrote, as text. */
  written = "";
  /** The exit code, once it has ended; 128 and the signal's number if a signal ended it. */
  code: number | undefined;
  private readonly child: ChildProcessWithoutNullStreams;

  constructor(
    command: readonly string[],
    private readonly columns = 80,
    rows = 24,
    env: NodeJS.ProcessEnv = {},
  ) {
    super();
    this.child = spawn("python3", ["-c", DRIVER, String(columns), String(rows), ...command], {
      env: { ...process.env, TERM: "xterm", NO_COLOR: "1", ...env },
    });
    this.child.stdout.setEncoding("utf8").on("data", (text) => {
      this.written += text;
      this.happened();
    });
    this.child.stderr.on("data", (text) => {
      this.written += text;
    });
    this.child.on("close", (code) => {
      this.code = code ?? -1;
      this.happened();
    });
  }

  type(keys: string): void {
    this.child.stdin.write(keys);
  }

  /** Waits until the screen, without blank lines at its end, is this. */
  async shows(...lines: readonly (string | RegExp)[]): Promise<void> {
    const isSame = () => {
      const screen = this.screen();
      const same = (line: string | RegExp, i: number) =>
        typeof line === "string" ? screen[i] === line : line.test(screen[i]);
      return screen.length === lines.length && lines.every(same);
    };
    await this.until(isSame, `${JSON.stringify(lines.map(String), null, 1)}`).catch((error: Error) => {
      throw new Error(`${error.message}; there is ${JSON.stringify(this.screen(), null, 1)}`);
    });
  }

  async ends(): Promise<number> {
    await this.until(() => this.code !== undefined, "the end").catch((error: Error) => {
      throw new Error(`${error.message}; there is ${JSON.stringify(this.written)}`);
    });
    return this.code!;
  }

  /** Ends the program if a failed test has left it. */
  kill(): void {
    this.child.kill("SIGKILL");
  }

  /** The lines on the screen, of any number: it does not scroll. Blanks at their ends are left out. */
  screen(): string[] {
    const cells: string[][] = [[]];
    let [row, column] = [0, 0];
    for (const [piece, count, action] of this.written.matchAll(/\x1b\[(\d*)([A-Za-z])|./gs)) {
      const n = count ? Number(count) : 1;
      if (piece === "\r") column = 0;
      else if (piece === "\n") row++;
      else if (piece === "\b") column--;
      else if (action === "A") row = Math.max(0, row - n);
      else if (action === "B") row += n;
      else if (action === "C") column += n;
      else if (action === "D") column = Math.max(0, column - n);
      else if (action === "G") column = n - 1;
      else if (action === "J") cells.splice(row, cells.length, (cells[row] ?? []).slice(0, column));
      else if (action === "K") cells[row]?.splice(column);
      else if (piece.length > 1 || piece < " ") throw new Error(`not understood: ${JSON.stringify(piece)}`);
      else {
        if (column === this.columns) [row, column] = [row + 1, 0];
        while (cells.length <= row) cells.push([]);
        while (cells[row].length < column) cells[row].push(" ");
        cells[row][column++] = piece;
      }
      while (cells.length <= row) cells.push([]);
    }
    const lines = cells.map((line) => line.join("").trimEnd());
    while (lines.at(-1) === "") lines.pop();
    return lines;
  }
}
