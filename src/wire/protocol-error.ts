/** The peer broke the protocol: the one connection it came over ends, and nobody else is told (pathfinder-protocol.md, 8). */
export class ProtocolError extends Error {
  override readonly name = "ProtocolError";
}
