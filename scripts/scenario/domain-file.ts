/** The domain file that all clients of a scenario read, and its changes. */

import { renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { RESCAN_MAX } from "./times.js";

export const DOMAIN = "scenario";

export class DomainFile {
  private readonly removed = new Set<number>();
  private spoiled: Promise<void> | undefined;

  constructor(
    private readonly folder: string,
    private readonly addresses: readonly string[],
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

  /** In one step, in one of both formats and in an order that changes. */
  private write(): void {
    const left = this.addresses.filter((_, server) => !this.removed.has(server));
    if (this.removed.size % 2 === 1) left.reverse();
    const json = JSON.stringify({ servers: left.map((address) => ({ address })) });
    const text = this.spoiled ? json.slice(0, -3) : left.length % 2 === 0 ? json : left.join("\n");
    const file = join(this.folder, DOMAIN);
    writeFileSync(`${file}.new`, text);
    renameSync(`${file}.new`, file);
  }
}
