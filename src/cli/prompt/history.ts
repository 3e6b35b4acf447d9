/**
 * What was typed at the prompt, kept from one run to the next. A file that can not be read or written, is not ours or is
 * no file is as if there were none: nobody's command fails for the sake of a history.
 */

import {
  closeSync,
  constants,
  fstatSync,
  mkdirSync,
  openSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { dirname, isAbsolute, join } from "node:path";

/** Lines that are kept; the oldest go first. */
export const HISTORY_LINES = 1000;
/** UTF-16 code units; a longer line is not kept. */
const LONGEST_LINE = 4096;
/** A file with more bytes than this is cut down to HISTORY_LINES; what stands further in front is not even read. */
const MOST_BYTES = 262_144;

const { O_APPEND, O_CREAT, O_NOFOLLOW, O_NONBLOCK, O_RDONLY, O_WRONLY } = constants;
/** A link is not followed, a pipe not waited for. */
const CAREFULLY = O_NOFOLLOW | O_NONBLOCK;

type Env = Readonly<Record<string, string | undefined>>;

/**
 * The file named by PAFC_HISTORY, or none if that is empty; else `pafc/history` in the directory for state of the XDG base
 * directories. None, either, below a home that belongs to somebody else, as after `sudo`.
 */
export function historyFile({ PAFC_HISTORY, XDG_STATE_HOME = "", HOME = "" }: Env): string | undefined {
  if (PAFC_HISTORY !== undefined) return PAFC_HISTORY === "" ? undefined : PAFC_HISTORY;
  if (isAbsolute(XDG_STATE_HOME)) return join(XDG_STATE_HOME, "pafc/history");
  return isAbsolute(HOME) && attempt(() => isOurs(statSync(HOME)))
    ? join(HOME, ".local/state/pafc/history")
    : undefined;
}

export class History {
  private last = "";

  constructor(private readonly file: string | undefined) {}

  /** The lines, the latest first. */
  load(): string[] {
    const { lines, bytes } = this.read();
    if (bytes > MOST_BYTES || lines.length > 2 * HISTORY_LINES) this.replace(lines.slice(-HISTORY_LINES));
    this.last = lines.at(-1) ?? "";
    return lines.slice(-HISTORY_LINES).reverse();
  }

  /** Adds a line that was entered, unless it begins with a blank or is the last one again, as shells do. */
  add(line: string): void {
    const { file } = this;
    if (file === undefined || line === this.last || line.startsWith(" ") || !isKept(line)) return;
    this.last = line;
    const bytes = attempt(() => {
      mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
      return using(openSync(file, O_WRONLY | O_APPEND | O_CREAT | CAREFULLY, 0o600), (descriptor) => {
        // In one piece: others may be adding theirs.
        return ownSize(descriptor) + writeSync(descriptor, `${line}\n`);
      });
    });
    if (bytes !== undefined && bytes > MOST_BYTES) this.load();
  }

  private read(): { readonly lines: readonly string[]; readonly bytes: number } {
    const { file } = this;
    const found =
      file === undefined
        ? undefined
        : attempt(() =>
            using(openSync(file, O_RDONLY | CAREFULLY), (descriptor) => {
              const bytes = ownSize(descriptor);
              const end = Buffer.alloc(Math.min(bytes, MOST_BYTES));
              const length = readSync(descriptor, end, 0, end.length, bytes - end.length);
              const lines = end.toString("utf8", 0, length).split("\n");
              if (bytes > MOST_BYTES) lines.shift(); // it may begin in the middle
              return { lines: lines.filter(isKept), bytes };
            }),
          );
    return found ?? { lines: [], bytes: 0 };
  }

  private replace(lines: readonly string[]): void {
    const { file } = this;
    if (file === undefined) return;
    const next = `${file}.${process.pid}`;
    attempt(() => {
      try {
        writeFileSync(next, lines.map((line) => `${line}\n`).join(""), { mode: 0o600, flag: "wx" });
        renameSync(next, file);
      } catch (error) {
        rmSync(next, { force: true });
        throw error;
      }
    });
  }
}

/** Not what could disturb a terminal that it is recalled to. */
function isKept(line: string): boolean {
  return line.trim() !== "" && line.length <= LONGEST_LINE && !/[\p{Cc}\ufffd]/u.test(line);
}

function isOurs({ uid }: { readonly uid: number }): boolean {
  return uid === process.getuid?.();
}

/** Bytes; throws if it is not a file of ours. */
function ownSize(descriptor: number): number {
  const status = fstatSync(descriptor);
  if (!status.isFile() || !isOurs(status)) throw new Error("not a file of ours");
  return status.size;
}

function using<T>(descriptor: number, use: (descriptor: number) => T): T {
  try {
    return use(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

/** What the file system gives; `undefined` if it refuses. */
function attempt<T>(operation: () => T): T | undefined {
  try {
    return operation();
  } catch {
    return undefined;
  }
}
