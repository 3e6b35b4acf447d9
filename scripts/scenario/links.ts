/** When which client had a connection to which server: what the clients say of their links, as the oracle uses it. */

import type { Interval } from "./intervals.js";

/** How often clients look at their links; a link that is lost is reported so much later at most, and a turn of the loop. */
export const LOOK_EVERY_MS = 50;
/** By how much the end of a connection may be told too late. */
export const LOOK_TOLERANCE = 500;

export interface LinkReport {
  /** The client. */
  readonly who: string;
  readonly address: string;
  /** The state and, in parentheses, why the last connection ended. */
  readonly state: string;
  readonly at: number;
}

export const isConnected = (state: string | undefined): boolean => state?.startsWith("operational") ?? false;

export class Links {
  private readonly clients = new Map<string, Interval[][]>();

  /** `reports` in the order of time, `addresses` of the servers. */
  constructor(reports: readonly LinkReport[], addresses: readonly string[]) {
    const since = new Map<string, number>();
    for (const { who, address, state, at } of reports) {
      const server = addresses.indexOf(address);
      const known = this.clients.get(who) ?? addresses.map((): Interval[] => []);
      this.clients.set(who, known);
      const link = `${who} ${address}`;
      // Another reason why the last one ended: there was an end between two looks.
      const from = since.get(link);
      if (from !== undefined) known[server]!.push({ from, to: at });
      if (isConnected(state)) since.set(link, at);
      else since.delete(link);
    }
    for (const [link, from] of since) {
      const [who, address] = link.split(" ");
      this.clients.get(who!)![addresses.indexOf(address!)]!.push({ from, to: Number.POSITIVE_INFINITY });
    }
  }

  /** When the client held that it was connected; `undefined` if nothing is known of this client. */
  of(client: string, server: number): readonly Interval[] | undefined {
    return this.clients.get(client)?.[server];
  }
}
