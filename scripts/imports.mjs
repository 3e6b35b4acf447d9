/**
 * The map of the house: each room below src/ and the rooms it may import from. `scripts/check.mjs` fails on anything
 * else. `node` says whether the room may use Node's own modules and packages; `core` and `wire` are pure.
 */
export const ROOMS = {
  core: { imports: [], node: false },
  wire: { imports: ["core"], node: false },
  transport: { imports: [], node: true },
  server: { imports: ["core", "wire", "transport"], node: false },
  client: { imports: ["core", "wire", "transport"], node: true },
  gateway: { imports: ["core"], node: true },
  cli: { imports: ["core", "client", "transport"], node: true },
  daemon: { imports: ["core", "wire", "transport", "server", "client", "gateway", "cli"], node: true },
};
