/** What the rules choose and cannot be published, or not whole: counted by reason, and written so that it can be found. */

import type { Clock } from "../../../core/clock.js";
import type { Logger } from "../../../core/log.js";
import { Complaints } from "../../complaints.js";
import type { Dropped } from "../../dropped.js";
import { isLoop, type LeftOut, type Refusal } from "./publish-rule.js";

/** Of a name or a value. */
const SHOWN_LENGTH = 100;
/** Of what is left out of one service; all of it is counted. */
const SHOWN_PARTS = 8;

export interface Named {
  /** 16 hexadecimal digits. */
  readonly sdid: string;
  /** Index of the rule in `publish`. */
  readonly rule: number;
  readonly name: string | undefined;
}

export class SelectionComplaints {
  private readonly complaints: Complaints;
  /** By key, what was written last: a service that changes all the time must not hide the others. */
  private readonly written = new Map<string, string>();
  /** By key, what was left out the last time: it is counted when that changes, not whenever the service does. */
  private readonly leftOutBefore = new Map<string, string>();

  constructor(
    clock: Clock,
    private readonly log: Logger,
    private readonly dropped: Dropped,
  ) {
    this.complaints = new Complaints(clock, log);
  }

  /** What comes from a gateway is not published either, but that is as it should be. */
  refused(key: string, named: Named, reason: Refusal): void {
    this.leftOutBefore.delete(key);
    this.dropped.add(reason);
    const text = `${shown(named)} is not published: ${reason}.`;
    if (isLoop(reason)) this.log.debug(() => text);
    else this.complain(key, text);
  }

  /** What the service is published without. */
  leftOut(key: string, named: Named, all: readonly LeftOut[]): void {
    if (all.length === 0) {
      this.forget(key);
      return;
    }
    const parts = all.slice(0, SHOWN_PARTS).map(({ reason, what }) => `${quoted(what)} (${reason})`);
    if (all.length > SHOWN_PARTS) parts.push(`${all.length - SHOWN_PARTS} more`);
    const text = `${shown(named)} is published without ${parts.join(", ")}.`;
    if (this.leftOutBefore.get(key) !== text) for (const { reason } of all) this.dropped.add(reason);
    this.leftOutBefore.set(key, text);
    this.complain(key, text);
  }

  /** The service has gone, or is all right. */
  forget(key: string): void {
    this.written.delete(key);
    this.leftOutBefore.delete(key);
  }

  private complain(key: string, text: string): void {
    this.log.debug(() => text);
    if (this.written.get(key) === text) return;
    // Asked for only if it is written: what had to wait gets its turn at its next change.
    this.complaints.add(() => {
      this.written.set(key, text);
      return text;
    });
  }
}

function shown({ sdid, rule, name }: Named): string {
  return `service ${sdid}${name === undefined ? "" : ` ${quoted(name)}`} (publish[${rule}])`;
}

const quoted = (text: string) => JSON.stringify(text.slice(0, SHOWN_LENGTH));
