import { test } from "uvu";
import * as assert from "uvu/assert";
import { SeededRandom } from "../../../scripts/fuzz/random.js";
import { FilterTree, topicMatches } from "../../../src/gateway/mqtt/filter-tree.js";

for (const [filter, topic, expected] of [
  ["a/b", "a/b", true],
  ["a/b", "a/bc", false],
  ["a/b", "a", false],
  ["a/+", "a/b", true],
  ["a/+", "a/", true],
  ["a/+", "a", false],
  ["a/+", "a/b/c", false],
  ["a/#", "a/b/c", true],
  ["a/#", "a", true],
  ["a/#", "ab", false],
  ["#", "a/b", true],
  ["#", "$SYS/broker", false],
  ["+/broker", "$SYS/broker", false],
  ["$SYS/#", "$SYS/broker", true],
  ["+/+/c", "a/b/c", true],
  ["+/#", "a", true],
  ["$SYS/+", "$SYS/broker", true],
  ["$SYS/#", "$SYS", true],
  ["+", "/a", false],
  ["/", "/", true],
  ["", "a", false],
  ["+/+", "/a", true],
] as const) {
  test(`MQTT 4.7: ${filter} ${expected ? "matches" : "does not match"} ${topic}`, () => {
    assert.is(topicMatches(filter.split("/"), topic.split("/")), expected);
    const tree = new FilterTree<string>();
    tree.set(filter, filter);
    assert.equal(tree.matching(topic), expected ? [filter] : []);
  });
}

test("any filters, put in and taken out: exactly those that match are found, and nothing is left in the end", () => {
  const random = new SeededRandom(5);
  const some = (levels: readonly string[]) => Array.from({ length: 1 + random.below(4) }, () => random.pick(levels));
  const tree = new FilterTree<string>();
  const present = new Set<string>();
  for (let round = 0; round < 3000; round++) {
    const levels = some(["a", "b", "", "$x", "+"]);
    const filter = [...levels, ...(random.below(3) === 0 ? ["#"] : [])].join("/");
    if (random.below(3) === 0) {
      tree.delete(filter);
      present.delete(filter);
    } else {
      tree.set(filter, filter);
      present.add(filter);
    }
    assert.is(tree.get(filter), present.has(filter) ? filter : undefined);
    const topic = some(["a", "b", "", "$x", "c"]);
    const expected = [...present].filter((one) => topicMatches(one.split("/"), topic));
    assert.equal(tree.matching(topic.join("/")).sort(), expected.sort(), topic.join("/"));
  }
  for (const filter of present) tree.delete(filter);
  assert.is((tree as unknown as { root: { next: Map<string, unknown> } }).root.next.size, 0);
});

test.run();
