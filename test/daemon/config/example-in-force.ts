/** The example configuration with its optional lines in force: `# key:` and `# - value` become `key:` and `- value`. */

import { exampleConfig } from "../../../src/daemon/config/example.js";

export const exampleInForce = (): string =>
  exampleConfig()
    .replace(/^( {1,20})# (?=( *)(- |[a-z_]+:))/gm, "$1")
    .replaceAll("mqtt://localhost", "mqtts://localhost"); // or its TLS files would be wrong
