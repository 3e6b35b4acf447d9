/** What is wrong with a configuration, for tests: the lines of its `ConfigError`. */

import { loadConfig } from "../../../src/daemon/config/config.js";
import { ConfigError } from "../../../src/daemon/config/config-error.js";

export function problemsOf(text: string, replacedBy = 0): readonly string[] {
  const domains = Array.from({ length: replacedBy }, (_, i) => ({
    sockets: [{ address: `ux:line${i}` }],
    protocolVersion: { min: 2, max: 3 },
    idleSeconds: { min: 4, max: 30 },
  }));
  try {
    loadConfig(text, "f", domains);
  } catch (e) {
    if (e instanceof ConfigError) return e.lines;
    throw e;
  }
  return [];
}
