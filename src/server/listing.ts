/**
 * Answers of many messages, made one message at a time as the peer takes them: however large the directory, a listing
 * keeps a place in it and not a copy (flow control: pathfinder-protocol.md, 13.1). A snapshot in the sense that only
 * what existed when it began is listed; what changes before it is its turn is listed as it is then, or not at all.
 */

export interface Listing {
  /** Sends the next message; false if that was the last one. */
  step(): boolean;
  /** Ends the listing early, because the connection has gone. */
  close(): void;
}

/** A listing of elements in order of creation, up to `lastSequence`, the last one when it began. */
export function listingOf<T extends { readonly sequence: number }>(
  elements: Iterator<T>,
  lastSequence: number,
  send: (element: T) => void,
  complete: () => void,
): Listing {
  return {
    step() {
      const { done, value } = elements.next();
      if (!done && value.sequence <= lastSequence) {
        send(value);
        return true;
      }
      complete();
      return false;
    },
    close() {},
  };
}
