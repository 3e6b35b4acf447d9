/** A domain on real sockets with the real clock, in this process; and a server that says whatever a test wants. */

import { readdirSync, readlinkSync } from "node:fs";
import { SILENT } from "../../src/core/log.js";
import { TimerHeap } from "../../src/core/timer-heap.js";
import { Domain, type DomainOptions } from "../../src/server/domain.js";
import { Outbox } from "../../src/transport/index.js";
import { freshName, type Recorder, type Server, send, serve } from "../support/transport-peers.js";

export const CLOCK = { monotonicMs: () => performance.now(), unixSeconds: () => Date.now() / 1000 };

export interface LiveDomain {
  readonly ux: string;
  readonly tcp: string;
  readonly domain: Domain;
  close(): void;
}

/** Listens on a fresh `ux` name and on a TCP port. */
export async function liveDomain(options: Partial<DomainOptions> = {}): Promise<LiveDomain> {
  let native: NodeJS.Timeout | undefined;
  const timers = new TimerHeap(CLOCK, (delayMs) => {
    clearTimeout(native);
    if (delayMs !== undefined) native = setTimeout(() => timers.run(), Math.min(delayMs, 0x7fff_ffff));
  });
  const domain = new Domain({
    clock: CLOCK,
    timers,
    random: Math.random,
    log: SILENT,
    outbox: new Outbox(),
    ...options,
  });
  const ux = await domain.listen(`ux:${freshName()}`);
  const tcp = await domain.listen("tcp:127.0.0.1:0");
  return {
    ux,
    tcp,
    domain,
    close() {
      domain.close();
      clearTimeout(native);
    },
  };
}

/** A server that answers each message with what `answer` returns for it. */
export async function fakeServer(
  answer: (request: { "ta-cmd": string; "ta-id": number }, connection: Recorder) => readonly object[],
): Promise<Server> {
  return serve(`ux:${freshName()}`, (text, connection) => {
    for (const reply of answer(JSON.parse(text), connection)) send(connection, JSON.stringify(reply));
  });
}

/** The answer to a hello; to be spread into other answers. */
export const HELLO_COMPLETE = { "ta-cmd": "hello", "ta-id": 0, "msg-type": "complete", "protocol-version": 3 };

/** `promise`, or an error that names `what` after 20 s. */
export function soon<T>(promise: Promise<T>, what: string): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not within 20 s: ${what}`)), 20_000);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

/** The descriptors of this process that are sockets. */
export function openSockets(): number {
  return readdirSync("/proc/self/fd").filter((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`).startsWith("socket:");
    } catch {
      return false; // the one that readdir used
    }
  }).length;
}

/** How many listeners `signal` has, of those that are added from now on. */
export function countListeners(signal: AbortSignal): () => number {
  let listeners = 0;
  const { addEventListener, removeEventListener } = signal;
  signal.addEventListener = (...args: Parameters<typeof addEventListener>) => {
    listeners++;
    addEventListener.apply(signal, args);
  };
  signal.removeEventListener = (...args: Parameters<typeof removeEventListener>) => {
    listeners--;
    removeEventListener.apply(signal, args);
  };
  return () => listeners;
}
