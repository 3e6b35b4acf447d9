/** How much of one subscription's memory each source (one link) claims, within the limits of `ServerLimits`. */

import type { Properties } from "../core/properties.js";
import { ServerLimitError, type ServerLimits } from "./server-limits.js";
import { propertiesSize } from "./service-properties.js";

/** One service that one source shows; its properties' size in the measure of libpaf-client.md, 2.2. */
export interface MatchClaim {
  readonly bytes: number;
}

export class MatchClaims {
  private readonly totals = new Map<number, { services: number; bytes: number }>();

  constructor(
    private readonly limits: Pick<ServerLimits, "matchedServices" | "matchedBytes">,
    private readonly addressOf: (source: number) => string,
  ) {}

  /** The claim of `source` from now on, in place of `before`. Throws a `ServerLimitError`, and nothing changes. */
  replace(source: number, before: MatchClaim | undefined, properties: Properties): MatchClaim {
    const { services, bytes } = this.totals.get(source) ?? { services: 0, bytes: 0 };
    const claim = { bytes: propertiesSize(properties) };
    const now = {
      services: services + (before ? 0 : 1),
      bytes: bytes + claim.bytes - (before?.bytes ?? 0),
    };
    if (now.services > this.limits.matchedServices) throw this.beyond(source, "matchedServices");
    if (now.bytes > this.limits.matchedBytes && now.bytes > bytes) throw this.beyond(source, "matchedBytes");
    this.totals.set(source, now);
    return claim;
  }

  release(source: number, claim: MatchClaim | undefined): void {
    const total = this.totals.get(source);
    if (!claim || !total) return;
    total.services--;
    total.bytes -= claim.bytes;
    if (total.services === 0) this.totals.delete(source);
  }

  clear(): void {
    this.totals.clear();
  }

  private beyond(source: number, limit: "matchedServices" | "matchedBytes"): ServerLimitError {
    return new ServerLimitError(this.addressOf(source), limit, this.limits[limit]);
  }
}
