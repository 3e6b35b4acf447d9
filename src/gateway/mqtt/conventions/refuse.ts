/** What is not taken is counted, and told in the log (one a minute). */

import { show } from "../announced.js";
import type { ConventionContext } from "./convention.js";

/** `reason`: a fixed text. */
export function refuse({ dropped, complaints }: ConventionContext, topic: string, reason: string): void {
  dropped.add(reason);
  if (reason !== "own announcement") complaints.add(() => `MQTT topic ${show(topic)} ignored: ${reason}.`);
}
