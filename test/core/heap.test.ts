/** The heap against a sorted list, with items that are added, moved and taken out at random. */

import { test } from "uvu";
import * as assert from "uvu/assert";
import { SeededRandom } from "../../scripts/fuzz/random.js";
import { Heap, type HeapItem } from "../../src/core/heap.js";

test("the first is the least, whatever was added, moved or removed before", () => {
  for (let seed = 0; seed < 200; seed++) {
    const random = new SeededRandom(seed);
    const heap = new Heap<HeapItem & { at: number }>((a, b) => a.at < b.at);
    const items = Array.from({ length: 40 }, () => ({ heapIndex: -1, at: 0 }));
    const inside = new Set<(typeof items)[number]>();
    for (let step = 0; step < 300; step++) {
      const item = items[random.below(items.length)];
      if (random.below(3) > 0) {
        item.at = random.below(50);
        heap.put(item);
        inside.add(item);
      } else {
        heap.remove(item); // harmless if it is not inside
        inside.delete(item);
      }
      assert.is(heap.size, inside.size);
      assert.is(heap.first?.at, inside.size === 0 ? undefined : Math.min(...[...inside].map(({ at }) => at)));
    }
    assert.is(new Set(heap.values()).size, inside.size);
  }
});

test.run();
