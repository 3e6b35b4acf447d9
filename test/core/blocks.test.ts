import { test } from "uvu";
import * as assert from "uvu/assert";
import { SeededRandom } from "../../scripts/fuzz/random.js";
import { BlockStore, PAGE_WORDS } from "../../src/core/blocks.js";

const pagesOf = (store: BlockStore): number =>
  (store as unknown as { pages: unknown[] }).pages.filter((page) => page !== undefined).length;

interface Live {
  readonly block: number;
  readonly words: number;
  readonly mark: number;
}

test("random blocks never overlap, and everything is given back", () => {
  for (let seed = 0; seed < 12; seed++) {
    const random = new SeededRandom(seed);
    const store = new BlockStore();
    const live: Live[] = [];
    let mark = 0;
    const release = (index: number) => {
      const { block, words, mark } = live.splice(index, 1)[0]!;
      const page = store.page(block).words.subarray(store.at(block), store.at(block) + words);
      if (page.length !== words || !page.every((word) => word === mark))
        assert.unreachable(`block ${mark} was overwritten, seed ${seed}`);
      store.release(block, words);
    };
    for (let step = 0; step < 4000; step++) {
      if (live.length === 0 || random.below(100) < (step % 1000 < 500 ? 60 : 40)) {
        const words = 1 + random.below(random.pick([8, 100, 100, 3000, PAGE_WORDS]));
        const block = store.allocate(words);
        store.page(block).words.fill(++mark, store.at(block), store.at(block) + words);
        live.push({ block, words, mark });
      } else {
        release(random.below(live.length));
      }
    }
    while (live.length > 0) release(random.below(live.length));
    assert.is(store.usedWords, 0);
    assert.ok(pagesOf(store) <= 1, `${pagesOf(store)} pages are left, seed ${seed}`);
  }
});

test("every size fits its class, at most a quarter is lost, and the largest is a page", () => {
  for (let words = 1; words <= PAGE_WORDS; words += words < 600 ? 1 : 211) {
    const store = new BlockStore();
    const block = store.allocate(words);
    if (store.usedWords < words || (words >= 4 && store.usedWords > words * 1.25))
      assert.unreachable(`${words}: ${store.usedWords}`);
    store.release(block, words);
    assert.is(store.usedWords, 0);
  }
  assert.is(new BlockStore().allocate(PAGE_WORDS), 0);
});

test("blocks of one size are used again instead of new memory", () => {
  const store = new BlockStore();
  for (let i = 0; i < 100_000; i++) store.release(store.allocate(5000), 5000);
  assert.is(pagesOf(store), 1);
});

test("a page that is empty when the next is opened is given back", () => {
  const store = new BlockStore();
  for (let words = 33_000; words <= PAGE_WORDS; words += 1000) store.release(store.allocate(words), words);
  assert.is(pagesOf(store), 1);
});

test.run();
