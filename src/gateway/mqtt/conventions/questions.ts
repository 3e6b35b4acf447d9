/** Questions to single devices, spread in time: after a start there may be one for each of thousands. */

import type { Timer, Timers } from "../../../core/clock.js";
import { LIMITS, TIMES } from "./limits.js";

export interface Question {
  readonly topic: string;
  readonly payload: string;
}

export class Questions {
  private readonly waiting: Question[] = [];
  private timer: Timer | undefined;

  constructor(
    private readonly timers: Timers,
    private readonly publish: (topic: string, payload: string) => void,
  ) {}

  /** False: there are too many already. */
  add(question: Question): boolean {
    if (this.waiting.length >= LIMITS.questions) return false;
    this.waiting.push(question);
    this.timer ??= this.timers.after("mqtt question", TIMES.questionMs, () => this.next());
    return true;
  }

  clear(): void {
    this.timer?.cancel();
    this.timer = undefined;
    this.waiting.length = 0;
  }

  private next(): void {
    this.timer = undefined;
    const question = this.waiting.shift();
    if (!question) return;
    this.publish(question.topic, question.payload);
    if (this.waiting.length > 0) {
      this.timer = this.timers.after("mqtt question", TIMES.questionMs, () => this.next());
    }
  }
}
