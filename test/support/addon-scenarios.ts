/** The scenarios of addon-driver.mjs, and how each of them ends. */

export const DRIVER_SCENARIOS: readonly { readonly name: string; readonly status: number; readonly says: string }[] = [
  ...[
    "echo",
    "wrong arguments",
    "a stream listener",
    "a stream listener that is closed within its callback",
    "close twice, and use after close",
    "close within the callback",
    "collected without close",
    "started sockets are not collected",
    "a reset comes after the messages",
    "a reset while only writability is watched",
    "callbacks that throw",
    "writability",
    "datagram and stream sockets",
    "sockets of network namespaces",
    "a network watch",
    "a network watch that is left open",
    "names",
    "workers",
    "exit with open sockets",
    "exit within a callback",
  ].map((name) => ({ name, status: 0, says: "done" })),
  { name: "an exception that nobody catches", status: 1, says: "Error: planned" },
];
