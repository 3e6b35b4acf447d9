/** Carries out the faults of a plan (plan.ts), and undoes them. */

import { setTimeout as sleep } from "node:timers/promises";
import { SeededRandom } from "../fuzz/random.js";
import type { DomainFile } from "./domain-file.js";
import type { Host, Network } from "./network.js";
import type { Fault } from "./plan.js";
import type { Server } from "./server.js";
import { now } from "./times.js";
import type { Troubles } from "./troubles.js";

export const seconds = (ms: number): string => `${(ms / 1000).toFixed(2)} s`;

export function describe(fault: Fault): string {
  if (fault.kind === "spoil") return "the domain file is spoilt";
  const server = `server ${fault.server}`;
  const texts = {
    kill: `${server} is killed`,
    terminate: `${server} is stopped in order`,
    freeze: `${server} is frozen`,
    cut: `${server} is cut off`,
    flap: `the link of ${server} comes and goes`,
    lossy: `${server} loses packets`,
    deafen: `${"host" in fault ? fault.host : ""} does not hear ${server}`,
    remove: `${server} is not in the domain file`,
  };
  return texts[fault.kind];
}

/** Takes its turns as the servers do. */
const FILE = -1;

/** What faults are done to. */
export interface Stage {
  readonly seed: number;
  readonly servers: readonly Server[];
  /** By name. */
  readonly hosts: ReadonlyMap<string, Host>;
  readonly file: DomainFile;
  /** Absent if there is none of our own; then the plan has no fault that needs it. */
  readonly network: Network | undefined;
  readonly troubles: Troubles;
}

export class Faults {
  private readonly turns = new Map<number, Promise<void>>();
  private readonly flapping: SeededRandom;

  constructor(private readonly stage: Stage) {
    this.flapping = new SeededRandom(stage.seed + 1);
  }

  /**
   * Resolves when the fault has been undone. What is done to a server follows what was done to it before: a process takes a
   * while to be there again.
   */
  inTurn(fault: Fault, lastsMs: number): Promise<void> {
    const turn = "server" in fault ? fault.server : FILE;
    const done = (this.turns.get(turn) ?? Promise.resolve()).then(() => this.commit(fault, lastsMs));
    this.turns.set(
      turn,
      done.catch(() => {}),
    );
    return done;
  }

  private async commit(fault: Fault, lastsMs: number): Promise<void> {
    const { servers, hosts, file, network, troubles } = this.stage;
    if (fault.kind === "spoil") {
      // Of no server: nothing may come of it.
      const trouble = troubles.begin(FILE, fault.kind, now());
      await file.spoil(lastsMs);
      trouble.over(now());
      return;
    }
    const server = servers[fault.server]!;
    const trouble = troubles.begin(fault.server, fault.kind, now(), "host" in fault ? fault.host : undefined);
    switch (fault.kind) {
      case "kill":
      case "terminate":
        await server.stop(fault.kind === "kill" ? "SIGKILL" : "SIGTERM");
        await sleep(lastsMs);
        await server.start();
        break;
      case "freeze":
        server.signal("SIGSTOP");
        await sleep(lastsMs);
        server.signal("SIGCONT");
        break;
      case "cut":
        await server.host!.plug(false);
        await sleep(lastsMs);
        await server.host!.plug(true);
        break;
      case "flap":
        for (const until = now() + lastsMs; now() < until; ) {
          await server.host!.plug(false);
          await sleep(20 + this.flapping.below(400));
          await server.host!.plug(true);
          await sleep(20 + this.flapping.below(400));
        }
        break;
      case "lossy":
        await server.host!.lossy(true, network!.loss);
        await sleep(lastsMs);
        await server.host!.lossy(false, network!.loss);
        break;
      case "deafen":
        await server.host!.mute(hosts.get(fault.host)!, true);
        await sleep(lastsMs);
        await server.host!.mute(hosts.get(fault.host)!, false);
        break;
      case "remove":
        await file.remove(fault.server, lastsMs);
        break;
    }
    trouble.over(now());
  }
}
