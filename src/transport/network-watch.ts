/** Tells when the network interfaces of this machine may have changed, so that nobody has to look again and again. */

import { optionalAddon, WATCH_READABLE } from "./addon.js";

export interface NetworkWatch {
  /** From now on changes count again. */
  resume(): void;
  close(): void;
}

/**
 * Calls `onChange` once when an interface, or an address of one, came, changed or went; and then not before `resume`.
 * Keeps no process alive. `undefined` where nothing tells: without the addon, or where the kernel refuses.
 */
export function watchNetwork(onChange: () => void): NetworkWatch | undefined {
  const watch = optionalAddon()?.NetworkWatch.open();
  if (watch === undefined || typeof watch === "number") return undefined;
  const error = watch.start(() => {
    watch.watch(0);
    onChange();
  });
  if (error !== 0) {
    watch.close();
    return undefined;
  }
  watch.watch(WATCH_READABLE);
  return {
    resume() {
      watch.forget();
      watch.watch(WATCH_READABLE);
    },
    close: () => watch.close(),
  };
}
