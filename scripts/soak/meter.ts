/** What a running pafd costs: memory and descriptors as the kernel knows them, timers as pafd tells on SIGUSR1. */

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { openDescriptors, type Pafd } from "../../test/support/pafd.js";
import { root } from "../../test/support/root.js";

export interface Sample {
  /** Bytes. */
  readonly resident: number;
  readonly anonymous: number;
  readonly descriptors: number;
  readonly timers: number;
}

/** The environment for a pafd whose garbage can be collected on demand. */
export const COLLECTOR: NodeJS.ProcessEnv = {
  NODE_OPTIONS: `--require="${join(root, "scripts/bench/collect-garbage.cjs")}"`,
};

const STATE = /State: [^\n]*; (\d+) timers?\./g;

export class Meter {
  constructor(private readonly pafd: Pafd) {}

  async sample(): Promise<Sample> {
    const { pafd } = this;
    const timers = await this.timers();
    const kernel = readFileSync(`/proc/${pafd.pid}/smaps_rollup`, "utf8");
    const bytes = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+)`, "m").exec(kernel)![1]) * 1024;
    return {
      resident: bytes("Rss"),
      anonymous: bytes("Anonymous"),
      descriptors: openDescriptors(pafd.pid),
      timers,
    };
  }

  /** Has the garbage collected. What that gives back shows in the samples that follow. */
  collect(): void {
    this.pafd.child.kill("SIGUSR2");
  }

  private async timers(): Promise<number> {
    const { pafd } = this;
    let told: number | undefined;
    const before = pafd.log.length;
    pafd.child.kill("SIGUSR1");
    await pafd.until(() => {
      // The log may have been cut meanwhile.
      const news = pafd.log.length < before ? pafd.log : pafd.log.slice(before);
      for (const [, count] of news.matchAll(STATE)) told = Number(count);
      return told !== undefined || pafd.exit !== undefined;
    }, "the state summary after SIGUSR1");
    if (told === undefined) throw new Error("pafd ended");
    return told;
  }
}
