/** When which server was in trouble, for everybody or only for the clients on one host. */

import { complement, type Interval, union } from "./intervals.js";
import type { Fault } from "./plan.js";
import { RECOVERY, SILENCE_KNOWN } from "./times.js";

/** In these nobody is told that a connection is dead, or a word may be under way for long. */
const SILENT: ReadonlySet<Trouble["what"]> = new Set(["freeze", "cut", "flap", "lossy", "deafen"] as const);

export interface Trouble {
  /** Negative if it is none of a server. */
  readonly server: number;
  /** The only host that is concerned; absent if all are. */
  readonly host?: string;
  /** `start`: clients are being started, 40 at once; it is over when all are connected to all servers. */
  readonly what: Fault["kind"] | "start";
  readonly from: number;
  to: number;
}

export class Troubles {
  readonly all: Trouble[] = [];
  private readonly cache = new Map<string, readonly Interval[]>();

  constructor(readonly servers: number) {}

  /** To be called before the trouble is made; the result's `over` after it has been undone. */
  begin(server: number, what: Trouble["what"], at: number, host?: string) {
    const trouble: Trouble = {
      server,
      what,
      from: at,
      to: Number.POSITIVE_INFINITY,
      ...(host === undefined ? {} : { host }),
    };
    this.all.push(trouble);
    this.cache.clear();
    return {
      over: (at: number) => {
        trouble.to = at;
        this.cache.clear();
      },
    };
  }

  /** When `server` had been without trouble for these hosts for so long that every link to it was there and up to date. */
  settled(server: number, hosts: readonly string[]): readonly Interval[] {
    return this.cached(`settled ${server} ${hosts.join(" ")}`, () => {
      const concerning = this.concerning(server, hosts);
      return complement(concerning.map(({ from, to, what }) => ({ from, to: what === "start" ? to : to + RECOVERY })));
    });
  }

  /** When at least one server was settled for these hosts. */
  covered(hosts: readonly string[]): readonly Interval[] {
    return this.cached(`covered ${hosts.join(" ")}`, () =>
      union(Array.from({ length: this.servers }, (_, server) => this.settled(server, hosts)).flat()),
    );
  }

  /** When clients on these hosts that held that they were connected to `server` were. */
  quiet(server: number, hosts: readonly string[]): readonly Interval[] {
    return this.cached(`quiet ${server} ${hosts.join(" ")}`, () => {
      const silent = this.concerning(server, hosts).filter(({ what }) => SILENT.has(what));
      return complement(silent.map(({ from, to }) => ({ from, to: to + SILENCE_KNOWN })));
    });
  }

  /** When at least one server stood still: none of its timers ran. */
  frozen(): readonly Interval[] {
    return this.cached("frozen", () => union(this.all.filter(({ what }) => what === "freeze")));
  }

  private concerning(server: number, hosts: readonly string[]): Trouble[] {
    return this.all.filter((one) => one.server === server && (!one.host || hosts.includes(one.host)));
  }

  private cached(key: string, compute: () => readonly Interval[]): readonly Interval[] {
    const known = this.cache.get(key) ?? compute();
    this.cache.set(key, known);
    return known;
  }
}
