/** What a broken protocol costs: the one connection it came over (pathfinder-protocol.md, 8). */

/** The peer broke the protocol. Its connection ends, and nobody else is told. */
export class ProtocolError extends Error {
  override readonly name = "ProtocolError";
}
