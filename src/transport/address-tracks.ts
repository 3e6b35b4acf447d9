/** In which order, and when, the addresses of a multi-homed name are tried (xcm-transports.md, 4.4). */

import { isIPv6 } from "node:net";
import { pause } from "./pause.js";
import type { DnsAlgorithm } from "./transport.js";

/** What IPv6 has in advance of IPv4, also if it fails earlier. */
const HEAD_START_MS = 200;

/** Tries one address. It rejects, and leaves nothing behind, when `signal` aborts. */
export type TryAddress<T> = (host: string, signal: AbortSignal) => Promise<T>;

export interface Tracks {
  readonly algorithm: DnsAlgorithm;
  readonly signal?: AbortSignal | undefined;
  /** For tests. */
  readonly wait?: (delayMs: number, signal: AbortSignal) => Promise<void>;
}

/**
 * What the first address to succeed gives. As soon as there is one, all other attempts are aborted: still before the next
 * event of a socket, because that waits for promises, so no two attempts succeed. The error is that of
 * the last address tried; with two tracks, that of the track to which the first address belongs.
 */
export async function tryAddresses<T>(
  hosts: readonly string[],
  { algorithm, signal, wait = pause }: Tracks,
  tryAddress: TryAddress<T>,
): Promise<T> {
  const stop = new AbortController();
  const abort = () => stop.abort();
  signal?.addEventListener("abort", abort);
  if (signal?.aborted) abort();
  const inTurn = async (track: readonly string[], delayMs = 0): Promise<T> => {
    if (delayMs > 0) await wait(delayMs, stop.signal);
    for (let i = 0; ; i++) {
      try {
        return await tryAddress(track[i]!, stop.signal);
      } catch (error) {
        if (i + 1 >= track.length || stop.signal.aborted) throw error;
      }
    }
  };
  const ipv6 = hosts.filter((host) => isIPv6(host));
  const ipv4 = hosts.filter((host) => !isIPv6(host));
  try {
    if (algorithm === "single") return await inTurn(hosts.slice(0, 1));
    if (algorithm === "sequential" || ipv6.length === 0 || ipv4.length === 0) return await inTurn(hosts);
    const tracks = [inTurn(ipv6), inTurn(ipv4, HEAD_START_MS)] as const;
    const decisive = tracks[isIPv6(hosts[0]!) ? 0 : 1];
    // With both failed, its rejection is what the caller gets; `any` has waited for the other too.
    return await Promise.any(tracks).catch(() => decisive);
  } finally {
    signal?.removeEventListener("abort", abort);
    stop.abort();
  }
}
