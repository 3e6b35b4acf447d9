/**
 * The JSON form of an announcement: `{"k":kind,"ttl":seconds,"p":{key: string|integer|[…]}}`.
 *
 * Read by hand because `JSON.parse` rounds integers beyond 53 bits. Members that are not known are skipped, so that
 * later versions may add some; `sdid` marks what a gateway made.
 */

import { type Collector, show } from "./announced.js";
import { JsonCursor } from "./json-cursor.js";

export function readJsonForm(text: string, to: Collector): void {
  const cursor = new JsonCursor(text);
  cursor.members((name) => {
    if (name === "k") to.kind(cursor.string());
    else if (name === "ttl") to.ttl(cursor.number());
    else if (name === "p") cursor.members((key) => readValues(cursor, key, to));
    else {
      if (name === "sdid") to.marker();
      cursor.skip(1);
    }
  });
  cursor.end();
}

function readValues(cursor: JsonCursor, key: string, to: Collector): void {
  if (cursor.peek() === "[") cursor.elements(() => readValue(cursor, key, to));
  else readValue(cursor, key, to);
}

function readValue(cursor: JsonCursor, key: string, to: Collector): void {
  const first = cursor.peek();
  if (first === '"') to.string(key, cursor.string());
  else if (first !== undefined && /[-0-9]/.test(first)) to.integer(key, cursor.number());
  else throw cursor.error(`value of ${show(key)}: expected a string or an integer`);
}
