/** When which server was in trouble, for everybody or only for the clients on one host. */

import { complement, type Interval, union } from "./intervals.js";
import { RECOVERY } from "./times.js";

export interface Trouble {
  /** Negative if it is none of a server. */
  readonly server: number;
  /** The only host that is concerned; absent if all are. */
  readonly host?: string;
  readonly what: string;
  readonly from: number;
  to: number;
  /** The process stood still: none of its timers ran. */
  readonly frozen: boolean;
}

export class Troubles {
  readonly all: Trouble[] = [];
  private readonly cache = new Map<string, readonly Interval[]>();

  constructor(readonly servers: number) {}

  /** To be called before the trouble is made; the result's `over` after it has been undone. */
  begin(server: number, what: string, at: number, { host, frozen = false }: { host?: string; frozen?: boolean } = {}) {
    const trouble: Trouble = {
      server,
      what,
      from: at,
      to: Number.POSITIVE_INFINITY,
      frozen,
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
    const key = `${server} ${hosts.join(" ")}`;
    let known = this.cache.get(key);
    if (!known) {
      const concerning = this.all.filter((one) => one.server === server && (!one.host || hosts.includes(one.host)));
      known = complement(concerning.map(({ from, to }) => ({ from, to: to + RECOVERY })));
      this.cache.set(key, known);
    }
    return known;
  }

  /** When at least one server was settled for these hosts. */
  covered(hosts: readonly string[]): readonly Interval[] {
    const key = `any ${hosts.join(" ")}`;
    let known = this.cache.get(key);
    if (!known) {
      known = union(Array.from({ length: this.servers }, (_, server) => this.settled(server, hosts)).flat());
      this.cache.set(key, known);
    }
    return known;
  }

  /** When at least one server stood still. */
  frozen(): Interval[] {
    return union(this.all.filter((one) => one.frozen));
  }
}
