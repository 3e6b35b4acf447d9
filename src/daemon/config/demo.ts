/** The configuration behind `pafd --demo` and `npm start`: everything on this machine, nothing written anywhere. */

import { type Config, loadConfig } from "./config.js";

/** Where the demo expects its (embedded) broker. */
export const DEMO_BROKER_PORT = 1883;

/** As a user would write it; `brokerPort` is that of the MQTT broker on loopback. */
export const demoConfigText = (brokerPort: number): string => `# pafd --demo
domains:
  - name: demo
    sockets:
      - ux:pathfinder
      - tcp:127.0.0.1:4711
log:
  console: true
  syslog: false
gateways:
  - type: mdns
  - type: mqtt
    url: mqtt://127.0.0.1:${brokerPort}
`;

export const demoConfig = (brokerPort = DEMO_BROKER_PORT): Config => loadConfig(demoConfigText(brokerPort), "--demo");
