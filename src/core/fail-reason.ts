/** Fail reasons exactly as the protocol spells them (pathfinder-protocol.md, 7); the value is what goes on the wire. */

export const FAIL_REASONS = [
  "no-hello",
  "client-id-exists",
  "unsupported-protocol-version",
  "permission-denied",
  "insufficient-resources",
  "track-exists",
  "invalid-filter-syntax",
  "subscription-id-exists",
  "non-existent-subscription-id",
  "non-existent-service-id",
  "old-generation",
  "same-generation-but-different",
] as const;

/** Why a server refuses a request, as the protocol spells it. */
export type FailReason = (typeof FAIL_REASONS)[number];

export type PublishOutcome =
  | "ok"
  | Extract<
      FailReason,
      "permission-denied" | "same-generation-but-different" | "old-generation" | "insufficient-resources"
    >;

export type UnpublishOutcome = "ok" | Extract<FailReason, "non-existent-service-id" | "permission-denied">;
