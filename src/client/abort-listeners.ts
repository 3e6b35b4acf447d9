/**
 * One listener per signal, however many wait for it: a program may give the same signal to all its domains and calls,
 * and Node.js warns of a leak when a signal has more than ten.
 */

interface Waiting {
  readonly calls: Set<() => void>;
  readonly listener: () => void;
}

const waiting = new WeakMap<AbortSignal, Waiting>();

/** Calls `call` once, when the signal aborts (not if it has); never after the function that is returned was called. */
export function onAbort(signal: AbortSignal, call: () => void): () => void {
  let entry = waiting.get(signal);
  if (!entry) {
    const calls = new Set<() => void>();
    const listener = () => {
      waiting.delete(signal);
      for (const one of [...calls]) if (calls.delete(one)) one();
    };
    entry = { calls, listener };
    waiting.set(signal, entry);
    signal.addEventListener("abort", listener, { once: true });
  }
  const { calls, listener } = entry;
  const own = () => call();
  calls.add(own);
  return () => {
    if (!calls.delete(own) || calls.size > 0 || waiting.get(signal)?.calls !== calls) return;
    waiting.delete(signal);
    signal.removeEventListener("abort", listener);
  };
}
