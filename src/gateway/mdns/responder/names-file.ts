/** The file in which chosen names outlive the process: read at start, replaced as a whole a moment after each change. */

import { closeSync, fstatSync, fsyncSync, openSync, readFileSync, renameSync, rmSync, writeSync } from "node:fs";
import type { Timer, Timers } from "../../../core/clock.js";
import type { Logger } from "../../../core/log.js";
import { NAMES_FILE_BYTES_LIMIT, type RememberedNames } from "./remembered-names.js";

const WRITE_AFTER_MS = 1000;

export class NamesFile {
  private timer: Timer | undefined;
  private isTroubleTold = false;

  constructor(
    private readonly path: string,
    private readonly names: RememberedNames,
    timers: Timers,
    private readonly log: Logger,
  ) {
    this.read();
    names.onChange = () => {
      this.timer ??= timers.after("mdns names file", WRITE_AFTER_MS, () => this.write());
    };
  }

  /** Writes what was not written yet. */
  stop(): void {
    if (this.timer) this.write();
    this.names.onChange = () => {};
  }

  private read(): void {
    try {
      const file = openSync(this.path, "r");
      try {
        const { size } = fstatSync(file);
        if (size > NAMES_FILE_BYTES_LIMIT) throw new Error(`${size} bytes (at most ${NAMES_FILE_BYTES_LIMIT})`);
        this.names.load(readFileSync(file, "utf8"));
      } finally {
        closeSync(file);
      }
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return;
      this.log.warning(() => `names_file ${this.path} is not used: ${(error as Error).message}; it will be replaced.`);
    }
  }

  private write(): void {
    this.timer?.cancel();
    this.timer = undefined;
    const next = `${this.path}.new`;
    try {
      const file = openSync(next, "w", 0o644);
      try {
        writeSync(file, this.names.toJson());
        fsyncSync(file);
      } finally {
        closeSync(file);
      }
      renameSync(next, this.path);
      this.isTroubleTold = false;
    } catch (error) {
      rmSync(next, { force: true });
      if (!this.isTroubleTold) {
        this.log.warning(() => `names_file ${this.path} cannot be written: ${(error as Error).message}`);
      }
      this.isTroubleTold = true;
    }
  }
}
