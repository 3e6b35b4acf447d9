/** Syslog over a UNIX socket, as the reference sends it: RFC 3164 without time and host, ended by a NUL (1.5). */

import { closeSync } from "node:fs";
import { constants } from "node:os";
import { getSystemErrorMap } from "node:util";
import type { Clock, Timer, Timers } from "../../core/clock.js";
import type { LogLevel } from "../../core/log.js";
import { requireAddon } from "../../transport/addon.js";
import type { Facility } from "../config/config.js";
import { type Write, writeNow } from "./descriptor-writer.js";
import { escapeUpTo } from "./escape.js";
import { codeOf, Losses } from "./losses.js";
import { SEVERITY } from "./severity.js";
import type { OnTrouble, Sink } from "./sink.js";

export interface SyslogOptions {
  readonly facility: Facility;
  readonly clock: Pick<Clock, "monotonicMs">;
  readonly timers: Timers;
  readonly onTrouble: OnTrouble;
  readonly write?: Write;
}

/** The numbers of Python's SysLogHandler, which the reference uses; some differ between systems. */
const FACILITY: Readonly<Record<Facility, number>> = {
  ...{ kern: 0, user: 1, mail: 2, daemon: 3, auth: 4, syslog: 5, lpr: 6, news: 7, uucp: 8, cron: 9, authpriv: 10 },
  ...{ ftp: 11, ntp: 12, security: 13, console: 14, "solaris-cron": 15 },
  ...{ local0: 16, local1: 17, local2: 18, local3: 19, local4: 20, local5: 21, local6: 22, local7: 23 },
};

/** A syslog that is gone is tried again by a line at most this often. */
const RECONNECT_INTERVAL_MS = 1000;

/** sun_path holds 108 bytes, the last of which ends the path. */
const MAX_PATH_BYTES = 107;

/** A datagram that is too long is halved until it is taken, down to this many characters. */
const SHORTEST_CUT = 64;

/** Lines that wait for a syslog that reads slowly: the kernel's queue often holds no more than ten (unix(7)). */
const MAX_WAITING = 256;
const FIRST_RETRY_MS = 10;
const LONGEST_RETRY_MS = 1000;

/** The kernel's queue is full, or its memory; the connection is as good as before. */
const PASSING: readonly string[] = ["EAGAIN", "ENOBUFS", "ENOMEM"];

/**
 * Never holds up the process: of what the socket does not take at once MAX_WAITING lines wait, more are lost and counted.
 * A syslog that was restarted is connected to again by the line that notices, which is then not lost.
 */
export class Syslog implements Sink {
  private readonly losses: Losses;
  private readonly writeTo: Write;
  /** The connected descriptor. */
  private fd: number | undefined;
  private nextConnect = 0;
  /** Why there is no connection. */
  private missing = "";
  /** A stream took only part of a message. */
  private midMessage = false;
  private closed = false;
  private waiting: { readonly level: LogLevel; readonly line: string }[] = [];
  private retry: Timer | undefined;
  private retryMs = FIRST_RETRY_MS;

  /** Throws an error with a `code` (an errno name) if nobody listens at `path`. */
  constructor(
    private readonly path: string,
    private readonly options: SyslogOptions,
  ) {
    this.losses = new Losses((code) => options.onTrouble(this, `Syslog '${path}' takes no more lines: ${code}.`));
    this.writeTo = options.write ?? writeNow;
    this.fd = connectTo(path);
  }

  write(level: LogLevel, line: string): void {
    if (this.closed) return;
    const failure = this.waiting.length > 0 ? "EAGAIN" : (this.sendNotice() ?? this.send(level, line));
    if (failure === undefined) this.losses.over();
    else if (!PASSING.includes(failure) || this.waiting.length === MAX_WAITING) this.losses.add(failure);
    else {
      this.waiting.push({ level, line });
      if (!this.retry) this.retryLater();
    }
  }

  close(): void {
    this.sendWaiting();
    this.closed = true;
    this.retry?.cancel();
    this.disconnect();
  }

  private retryLater(): void {
    this.retry = this.options.timers.after("syslog", this.retryMs, () => {
      this.retry = undefined;
      const before = this.waiting.length;
      this.sendWaiting();
      this.retryMs = this.waiting.length < before ? FIRST_RETRY_MS : Math.min(2 * this.retryMs, LONGEST_RETRY_MS);
      if (this.waiting.length > 0) this.retryLater();
    });
  }

  private sendWaiting(): void {
    let sent = 0;
    for (const { level, line } of this.waiting) {
      const failure = this.send(level, line);
      if (failure === undefined) sent++;
      else if (PASSING.includes(failure)) break;
      else {
        for (const _ of this.waiting.splice(sent)) this.losses.add(failure);
      }
    }
    this.waiting.splice(0, sent);
  }

  /** Tells how many lines were lost, if any were. */
  private sendNotice(): string | undefined {
    const { notice } = this.losses;
    if (!notice) return undefined;
    const failure = this.send("warning", notice);
    if (!failure) this.losses.told();
    return failure;
  }

  /** Undefined if the message was taken, else the code of the error. */
  private send(level: LogLevel, text: string): string | undefined {
    const header = `<${FACILITY[this.options.facility] * 8 + SEVERITY[level]}>pafd[${process.pid}]: `;
    for (let longest = text.length; ; ) {
      if (this.fd === undefined && !this.connect()) return this.missing;
      const cut = longest < text.length ? escapeUpTo(longest, text) : text;
      const failure = this.put(this.fd!, Buffer.from(`${this.midMessage ? "\0" : ""}${header}${cut}\0`));
      if (failure === undefined) return undefined;
      if (failure === "EMSGSIZE") {
        longest = Math.floor(longest / 2);
        if (longest < SHORTEST_CUT) return failure;
      } else if (PASSING.includes(failure)) return failure;
      else {
        this.disconnect();
        this.missing = failure;
      }
    }
  }

  /** As `send`, once. A datagram is taken whole or not at all. */
  private put(fd: number, message: Uint8Array): string | undefined {
    let taken = 0;
    try {
      while (taken < message.length) taken += this.writeTo(fd, taken === 0 ? message : message.subarray(taken));
      this.midMessage = false;
      return undefined;
    } catch (e) {
      if (taken > 0) this.midMessage = true;
      return codeOf(e);
    }
  }

  /** At most one attempt per interval, so that a syslog that ends after each message is not fed in a loop. */
  private connect(): boolean {
    const now = this.options.clock.monotonicMs();
    if (now < this.nextConnect) return false;
    this.nextConnect = now + RECONNECT_INTERVAL_MS;
    try {
      this.fd = connectTo(this.path);
      return true;
    } catch (e) {
      this.missing = codeOf(e);
      return false;
    }
  }

  private disconnect(): void {
    if (this.fd !== undefined) closeSync(this.fd);
    this.fd = undefined;
    this.midMessage = false;
  }
}

/** A descriptor: of a datagram socket, or of a stream where `path` is one, as Python's SysLogHandler does it. */
function connectTo(path: string): number {
  const { connectUnix } = requireAddon("syslog needs", "switch syslog off with -n (log.syslog: false)");
  const length = Buffer.byteLength(path);
  if (length > MAX_PATH_BYTES) {
    throw Object.assign(new Error(`Path of ${length} bytes (at most ${MAX_PATH_BYTES})`), { code: "ENAMETOOLONG" });
  }
  const sunPath = Buffer.from(`${path}\0`);
  let result = connectUnix(sunPath, false);
  if (result === -constants.errno.EPROTOTYPE) result = connectUnix(sunPath, true);
  if (result >= 0) return result;
  const [code, text] = getSystemErrorMap().get(result) ?? [`errno ${-result}`, "unknown error"];
  throw Object.assign(new Error(text.charAt(0).toUpperCase() + text.slice(1)), { code });
}
