/** Which protocol versions are offered to a server: those that are known here, narrowed by its settings (libpaf-client.md, 5.2). */

import { MAX_VERSION, MIN_VERSION } from "../wire/commands.js";

/** The range; `min` is above `max` if none of the allowed versions is known. */
export function offeredVersions({
  minProtocolVersion = MIN_VERSION,
  maxProtocolVersion = MAX_VERSION,
}: {
  readonly minProtocolVersion?: number;
  readonly maxProtocolVersion?: number;
}): { readonly min: number; readonly max: number } {
  return { min: Math.max(MIN_VERSION, minProtocolVersion), max: Math.min(MAX_VERSION, maxProtocolVersion) };
}
