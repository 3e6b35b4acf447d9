/** The log file: appended to, rotated by size, followed when it is moved away (pafd-and-pafc.md, 1.5). */

import { closeSync, constants, fstatSync, lstatSync, openSync, renameSync, type Stats, statSync } from "node:fs";
import type { Clock } from "../../core/clock.js";
import type { LogLevel } from "../../core/log.js";
import { DescriptorWriter, type Write } from "./descriptor-writer.js";
import { codeOf, Losses } from "./losses.js";
import type { OnTrouble, Sink } from "./sink.js";

export interface LogFileOptions {
  /** Rotated files to keep, FILE.1 being the newest; 0 lets the file grow. */
  readonly backups: number;
  /** The file is rotated rather than made longer than this by a line; a single line may be longer. */
  readonly maxBytes: number;
  readonly clock: Pick<Clock, "monotonicMs">;
  readonly onTrouble: OnTrouble;
  readonly write?: Write;
}

/** How often a line looks whether the file is still at its path, and a rotation that failed is tried again. */
const LOOK_INTERVAL_MS = 1000;

/** Not blocking: where the path names a FIFO that nobody reads, the server shall not wait for a reader. */
const OPEN_FLAGS = constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT | constants.O_NONBLOCK;
const OPEN_MODE = 0o640;

interface OpenFile {
  readonly fd: number;
  readonly stats: Stats;
  readonly writer: DescriptorWriter;
}

/**
 * Without a timer: the file's size is counted, and at most once a second a line begins with a look at the path. If
 * another file is there, or none (logrotate), the path is opened anew. What cannot be done is told once, and tried again
 * at a later line: a full disk and a removed directory lose lines, which are counted; a file that cannot be rotated grows.
 */
export class LogFile implements Sink {
  private readonly losses: Losses;
  private current: OpenFile | undefined;
  private size = 0;
  private nextLook = 0;
  private nextRotation = 0;
  /** Trouble that loses no lines has been told. */
  private troubled = false;
  /** Why there is no open file. */
  private missing = "";
  private closed = false;

  /** Throws what `fs.openSync` throws. */
  constructor(
    private readonly path: string,
    private readonly options: LogFileOptions,
  ) {
    this.losses = new Losses((code) => options.onTrouble(this, `Log file '${path}' takes no more lines: ${code}.`));
    this.use(this.open());
    this.nextLook = options.clock.monotonicMs() + LOOK_INTERVAL_MS;
  }

  write(_: LogLevel, line: string): void {
    if (this.closed) return;
    const now = this.options.clock.monotonicMs();
    if (now >= this.nextLook) this.look(now);
    let bytes = this.current?.writer.bytesFor(line);
    if (bytes && this.isFullWith(bytes.length) && now >= this.nextRotation) {
      this.rotate(now);
      bytes = this.current?.writer.bytesFor(line);
    }
    if (this.current && bytes) this.size += this.current.writer.writeBytes(bytes);
    else this.losses.add(this.missing);
  }

  close(): void {
    this.closed = true;
    this.use(undefined);
  }

  private isFullWith(length: number): boolean {
    const { backups, maxBytes } = this.options;
    return this.size > 0 && this.size + length > maxBytes && backups > 0 && this.isRegular();
  }

  /** Devices, FIFOs and the like are neither rotated nor looked after. */
  private isRegular(): boolean {
    return this.current === undefined || this.current.stats.isFile();
  }

  private look(now: number): void {
    this.nextLook = now + LOOK_INTERVAL_MS;
    if (this.isRegular() && !this.isInPlace()) this.openAnew();
  }

  /** Whether the path still names the open file; if so, the size is set to what it is (it may have been truncated). */
  private isInPlace(): boolean {
    if (this.current === undefined) return false;
    let there: Stats | undefined;
    try {
      there = statSync(this.path);
    } catch {
      return false;
    }
    const { stats } = this.current;
    if (there.ino !== stats.ino || there.dev !== stats.dev) return false;
    this.size = there.size;
    return true;
  }

  private rotate(now: number): void {
    this.nextRotation = now + LOOK_INTERVAL_MS;
    if (this.isInPlace()) {
      try {
        shiftBackups(this.path, this.options.backups);
      } catch (e) {
        this.complain(`Log file '${this.path}' cannot be rotated and grows: ${codeOf(e)}.`);
        return;
      }
    }
    if (this.openAnew()) this.nextRotation = 0;
  }

  private openAnew(): boolean {
    let next: OpenFile;
    try {
      next = this.open();
    } catch (e) {
      this.missing = codeOf(e);
      if (this.current && isRemoved(this.current.fd)) this.use(undefined);
      else if (this.current) {
        this.complain(`Log file '${this.path}' cannot be opened, lines go to where it was moved: ${this.missing}.`);
      }
      return false;
    }
    this.use(next);
    this.troubled = false;
    return true;
  }

  private open(): OpenFile {
    const fd = openSync(this.path, OPEN_FLAGS, OPEN_MODE);
    try {
      return { fd, stats: fstatSync(fd), writer: new DescriptorWriter(fd, this.losses, this.options.write) };
    } catch (e) {
      closeSync(fd);
      throw e;
    }
  }

  private use(file: OpenFile | undefined): void {
    try {
      if (this.current) closeSync(this.current.fd);
    } catch {
      // The last lines may not have reached a disk far away (EIO); nothing can be done about that.
    }
    this.current = file;
    this.size = file?.stats.size ?? 0;
  }

  private complain(text: string): void {
    if (this.troubled) return;
    this.troubled = true;
    this.options.onTrouble(this, text);
  }
}

/** Whether no name leads to the file any more, or it cannot be told (ESTALE on a disk far away). */
function isRemoved(fd: number): boolean {
  try {
    return fstatSync(fd).nlink === 0;
  } catch {
    return true;
  }
}

/**
 * FILE becomes FILE.1, FILE.1 becomes FILE.2 and so on, up to the first number that is free, or to `backups`: that one is
 * overwritten. A rotation that fails half-way loses nothing then, however often it is tried again.
 */
function shiftBackups(path: string, backups: number): void {
  let last = 1;
  while (last < backups && lstatSync(`${path}.${last}`, { throwIfNoEntry: false })) last++;
  for (let i = last; i > 1; i--) renameSync(`${path}.${i - 1}`, `${path}.${i}`);
  renameSync(path, `${path}.1`);
}
