/** The domain file that all clients of a scenario read, and its changes. */

import { renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { RESCAN_MAX } from "./times.js";
import type { DomainEntry } from "./transports.js";

export const DOMAIN = "scenario";

export class DomainFile {
  private readonly removed = new Set<number>();
  private spoiled: Promise<void> | undefined;

  constructor(
    private readonly folder: string,
    private readonly entries: readonly DomainEntry[],
  ) {
    this.write();
  }

  /** Resolves when everybody has read it again. */
  async remove(server: number, lastsMs: number): Promise<void> {
    this.removed.add(server);
    this.write();
    await sleep(lastsMs);
    this.removed.delete(server);
    this.write();
    await this.spoiled;
    await sleep(RESCAN_MAX);
  }

  async spoil(lastsMs: number): Promise<void> {
    let unspoil!: () => void;
    this.spoiled = new Promise((resolve) => {
      unspoil = resolve;
    });
    this.write();
    await sleep(lastsMs);
    this.spoiled = undefined;
    this.write();
    unspoil();
  }

  /** In one step, in an order that changes, and where lines can say it all in one of both formats. */
  private write(): void {
    const left = this.entries.filter((_, server) => !this.removed.has(server));
    if (this.removed.size % 2 === 1) left.reverse();
    const json = JSON.stringify({ servers: left });
    const asLines = left.length % 2 === 1 && left.every((entry) => Object.keys(entry).length === 1);
    const whole = asLines ? left.map(({ address }) => address).join("\n") : json;
    const text = this.spoiled ? json.slice(0, -3) : whole;
    const file = join(this.folder, DOMAIN);
    writeFileSync(`${file}.new`, text);
    renameSync(`${file}.new`, file);
  }
}
