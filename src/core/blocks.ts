/**
 * Storage for many small binary blocks (property records, filter programs) in few large pages: a block costs its bytes
 * and nothing else, where a typed array of its own would cost some 200 bytes more and a finalizer.
 *
 * A block is named by a handle, a small integer. Sizes are rounded up to classes at most 25 % apart; freed blocks are
 * chained per class and reused; a page without live blocks goes back to the collector.
 */

/** Blocks live in pages of this many 32-bit words (256 KiB); it is also the size of the largest block. */
export const PAGE_WORDS = 65_536;

/** No block. */
export const NO_BLOCK = -1;

/** The memory of a page: the same bytes as 32-bit words and as bytes. */
export class Page {
  readonly words: Int32Array;
  readonly bytes: Uint8Array;
  live = 0;

  constructor(wordCount = PAGE_WORDS) {
    this.words = new Int32Array(wordCount);
    this.bytes = new Uint8Array(this.words.buffer);
  }
}

/** Size classes: 4, 5, 6, 7, 8, 10, 12, 14, 16, 20 … PAGE_WORDS words. */
const CLASS_SIZES: readonly number[] = (() => {
  const sizes: number[] = [];
  for (let power = 4; power < PAGE_WORDS; power *= 2) for (let i = 4; i < 8; i++) sizes.push((power * i) / 4);
  return [...sizes, PAGE_WORDS];
})();

function classOf(wordCount: number): number {
  if (wordCount <= 4) return 0;
  const power = 31 - Math.clz32(wordCount - 1);
  // The smallest class of the group [2^power, 2^(power+1)] that holds wordCount.
  return (power - 2) * 4 + Math.ceil((wordCount - (1 << power)) / (1 << (power - 2)));
}

export class BlockStore {
  private readonly pages: (Page | undefined)[] = [];
  /** First free block of each class; the next one stands in the first word of the block. */
  private readonly free = new Int32Array(CLASS_SIZES.length).fill(NO_BLOCK);
  private bumpPage = -1;
  private bumpAt = PAGE_WORDS;
  private liveWords = 0;

  /** Words in use, rounded up to classes; for state reports and limits. */
  get usedWords(): number {
    return this.liveWords;
  }

  page(block: number): Page {
    return this.pages[block >>> 16]!;
  }

  /** Where the block begins, in words of its page. */
  at(block: number): number {
    return block & 0xffff;
  }

  /** A block of `wordCount` words with undefined contents. */
  allocate(wordCount: number): number {
    const index = classOf(wordCount);
    const size = CLASS_SIZES[index];
    let block = this.free[index];
    if (block !== NO_BLOCK) {
      this.free[index] = this.page(block).words[this.at(block)];
    } else {
      if (this.bumpAt + size > PAGE_WORDS) this.openPage();
      block = (this.bumpPage << 16) | this.bumpAt;
      this.bumpAt += size;
    }
    this.page(block).live++;
    this.liveWords += size;
    return block;
  }

  /** Copies `wordCount` words of `from` into a new block. */
  store(from: Page, at: number, wordCount: number): number {
    const block = this.allocate(wordCount);
    const words = this.page(block).words;
    const to = this.at(block);
    for (let i = 0; i < wordCount; i++) words[to + i] = from.words[at + i];
    return block;
  }

  /** Gives back a block that was allocated for `wordCount` words. */
  release(block: number, wordCount: number): void {
    const index = classOf(wordCount);
    const page = this.page(block);
    page.words[this.at(block)] = this.free[index];
    this.free[index] = block;
    this.liveWords -= CLASS_SIZES[index];
    if (--page.live === 0 && block >>> 16 !== this.bumpPage) this.dropPage(block >>> 16);
  }

  private openPage(): void {
    const before = this.bumpPage;
    const unused = this.pages.indexOf(undefined);
    this.bumpPage = unused >= 0 ? unused : this.pages.length;
    this.pages[this.bumpPage] = new Page();
    this.bumpAt = 0;
    // It was spared while blocks were cut from it.
    if (before >= 0 && this.pages[before]!.live === 0) this.dropPage(before);
  }

  /** Takes the blocks of an empty page out of the free chains and forgets the page. */
  private dropPage(number: number): void {
    for (let index = 0; index < this.free.length; index++) {
      let kept = NO_BLOCK;
      for (let block = this.free[index]; block !== NO_BLOCK; ) {
        const words = this.page(block).words;
        const next = words[this.at(block)];
        if (block >>> 16 !== number) {
          words[this.at(block)] = kept;
          kept = block;
        }
        block = next;
      }
      this.free[index] = kept;
    }
    this.pages[number] = undefined;
  }
}
