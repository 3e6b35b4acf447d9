/** What a running pafd costs: memory and descriptors as the kernel knows them, timers as pafd itself tells. */

import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { openDescriptors, type Pafd } from "../../test/support/pafd.js";
import { root } from "../../test/support/root.js";

export interface Sample {
  /** Bytes. */
  readonly resident: number;
  readonly anonymous: number;
  readonly descriptors: number;
  /** Absent if this pafd does not tell. */
  readonly timers: number | undefined;
}

/**
 * Loaded into the pafd before anything else: on SIGUSR2 it collects garbage as thoroughly as V8 can. By itself V8 does so
 * whenever it likes, so that what is held cannot be told from what is merely not collected yet.
 */
const COLLECTOR = `
require("v8").setFlagsFromString("--expose-gc");
const collect = require("vm").runInNewContext("gc");
process.on("SIGUSR2", () => { for (let i = 0; i < 4; i++) collect(); });
`;

/** The environment for a pafd whose memory is to be measured; `folder` is for a file. */
export function collectorIn(folder: string): NodeJS.ProcessEnv {
  const file = join(folder, "collector.cjs");
  writeFileSync(file, COLLECTOR);
  return { NODE_OPTIONS: `--require="${file}"` };
}

const STATE = /State: [^\n]*; (\d+) timers?\./g;

export class Meter {
  /** A pafd without this summary must not get the signal: Node.js itself would take it, and listen for a debugger. */
  private readonly tells = readFileSync(join(root, "dist/pathfinder-edge.cjs"), "utf8").includes("SIGUSR1");

  constructor(private readonly pafd: Pafd) {}

  async sample(): Promise<Sample> {
    const { pafd } = this;
    const timers = this.tells ? await this.timers() : undefined;
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
