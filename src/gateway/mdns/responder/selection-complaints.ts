/** What the rules choose and cannot be published, or not whole: counted by reason, and written so that it can be found. */

import type { Clock } from "../../../core/clock.js";
import type { Logger } from "../../../core/log.js";
import { Complaints } from "../../mqtt/complaints.js";
import { isLoop, type Refusal } from "./publish-rule.js";

/** Of a name. */
const SHOWN_LENGTH = 100;

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

  constructor(
    clock: Clock,
    private readonly log: Logger,
  ) {
    this.complaints = new Complaints(clock, log);
  }

  /** What comes from a gateway is not published either, but that is as it should be. */
  refused(key: string, named: Named, reason: Refusal): void {
    const text = `${shown(named)} is not published: ${reason}.`;
    if (isLoop(reason)) this.log.debug(() => text);
    else this.complain(key, text);
  }

  /** The service has gone. */
  forget(key: string): void {
    this.written.delete(key);
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
  const quoted = name === undefined ? "" : ` ${JSON.stringify(name.slice(0, SHOWN_LENGTH))}`;
  return `service ${sdid}${quoted} (publish[${rule}])`;
}
