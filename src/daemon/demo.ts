/** What `pafd --demo` and `npm start` tell a newcomer. */

import { relative } from "node:path";
import { DEMO_BROKER_PORT } from "./config/demo.js";

/** The lines are printed when everything listens; each command works as it stands, in a second terminal. */
export function demoIntroduction(): string {
  const pafc = `${relative(process.cwd(), __dirname) || "."}/pafc`;
  const paths = pafc.startsWith("/") || pafc.startsWith(".") ? pafc : `./${pafc}`;
  return `
Pathfinder is running: ux:pathfinder and tcp:127.0.0.1:4711, mDNS browsing, MQTT broker on 127.0.0.1:${DEMO_BROKER_PORT}.
In a second terminal, see services appear and disappear:

    ${paths} ux:pathfinder subscribe '(!(gateway=*))'

and in a third one, announce something (packages avahi-utils, mosquitto-clients):

    ${paths} ux:pathfinder publish name=hello answer=42
    avahi-publish -s "My printer" _ipp._tcp 631 rp=queue
    mosquitto_pub -p ${DEMO_BROKER_PORT} -r -t sd1/a/sensor1 -m "thermometer;600;room=kitchen;fw#3"
    mosquitto_pub -p ${DEMO_BROKER_PORT} -r -t sd1/a/sensor1 -n

Ctrl-C ends it.

`;
}
